package table

import (
	"math"
	"math/bits"
)

// sketch estimates how many different texts it was given, in 4 KiB: HyperLogLog with 4,096 registers, whose usual error is 1.6 %
// (Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007).
type sketch struct{ registers []uint8 }

const (
	sketchBits = 12
	registers  = 1 << sketchBits
)

func (s *sketch) add(text string) {
	if s.registers == nil {
		s.registers = make([]uint8, registers)
	}
	h := hash(text)
	at := h >> (64 - sketchBits)
	if zeros := uint8(bits.LeadingZeros64(h<<sketchBits|1<<(sketchBits-1)) + 1); zeros > s.registers[at] {
		s.registers[at] = zeros
	}
}

func (s *sketch) count() int64 {
	sum, unused := 0.0, 0
	for _, r := range s.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			unused++
		}
	}
	if len(s.registers) == 0 {
		return 0
	}
	const m = float64(registers)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && unused > 0 {
		estimate = m * math.Log(m/float64(unused)) // few values: counting unused registers is nearer
	}
	return int64(math.Round(estimate))
}

// hash is FNV-1a with its bits mixed (the finisher of SplitMix64): FNV alone leaves the high bits of short texts alike.
func hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
