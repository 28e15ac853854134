package profile

import (
	"math"
	"math/bits"
)

// distinct estimates how many different hashes it was given, in 16 KiB: HyperLogLog with 16,384 registers, whose usual error is 0.8 %
// (Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007). Small numbers are counted by the unused registers, which is nearer.
type distinct struct{ registers []uint8 }

const (
	sketchBits = 14
	registers  = 1 << sketchBits
)

func (d *distinct) add(h uint64) {
	if d.registers == nil {
		d.registers = make([]uint8, registers)
	}
	at := h >> (64 - sketchBits)
	if zeros := uint8(bits.LeadingZeros64(h<<sketchBits|1<<(sketchBits-1)) + 1); zeros > d.registers[at] {
		d.registers[at] = zeros
	}
}

func (d *distinct) merge(o distinct) {
	if d.registers == nil && o.registers != nil {
		d.registers = make([]uint8, registers)
	}
	for i, r := range o.registers {
		d.registers[i] = max(d.registers[i], r)
	}
}

func (d *distinct) count() int64 {
	if d.registers == nil {
		return 0
	}
	sum, unused := 0.0, 0
	for _, r := range d.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			unused++
		}
	}
	const m = float64(registers)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && unused > 0 {
		estimate = m * math.Log(m/float64(unused))
	}
	return int64(math.Round(estimate))
}
