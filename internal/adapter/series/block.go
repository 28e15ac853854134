package series

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"levada/internal/core/track"
)

// blockPoints is the most points of one block: enough to be dense, few enough to read one for the sake of a single point.
const blockPoints = 1024

// errDamaged is wrapped by what cannot be read although it was written once.
var errDamaged = errors.New("the metric store is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// How the values of a block are written as a column.
const (
	valueDecimal = iota // as whole numbers, after a multiplication with a power of ten
	valueSingle         // as the bits of 32-bit floating point numbers
	valueDouble         // as the bits of 64-bit floating point numbers
)

// maxDecimals is the most digits after the point for which valueDecimal is tried.
const maxDecimals = 9

// appendBlock appends the points, in the order of history, and a checksum.
func appendBlock(out []byte, pts []track.Point) []byte {
	start := len(out)
	out = binary.AppendUvarint(out, uint64(len(pts)))
	column := make([]int64, len(pts))
	for i, p := range pts {
		column[i] = p.Time
	}
	out = appendColumn(out, column)
	for i, p := range pts {
		column[i] = p.Step
	}
	out = appendColumn(out, column)
	out = appendValues(out, pts, column)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[start:], castagnoli))
}

// appendValues writes the values in the way that is shortest of those that keep every bit.
func appendValues(out []byte, pts []track.Point, column []int64) []byte {
	if digits, ok := decimals(pts, column); ok {
		out = append(out, valueDecimal, byte(digits))
		return appendColumn(out, column)
	}
	single := true
	for _, p := range pts {
		if float64(float32(p.Value)) != p.Value {
			single = false
			break
		}
	}
	if single {
		for i, p := range pts {
			column[i] = int64(ordered32(math.Float32bits(float32(p.Value))))
		}
		return appendColumn(append(out, valueSingle), column)
	}
	for i, p := range pts {
		column[i] = ordered64(math.Float64bits(p.Value))
	}
	return appendColumn(append(out, valueDouble), column)
}

// decimals finds the smallest power of ten that makes all values whole numbers which give the values back exactly.
func decimals(pts []track.Point, column []int64) (int, bool) {
	scale, digits := 1.0, 0
	for i := 0; i < len(pts); {
		v := pts[i].Value
		n := math.Round(v * scale)
		if math.Abs(n) < 1<<53 && n/scale == v {
			column[i] = int64(n)
			i++
			continue
		}
		// NaN and the huge end here too: no digit helps them.
		if digits++; digits > maxDecimals || !(math.Abs(v) < 1<<53) {
			return 0, false
		}
		scale *= 10
		i = 0
	}
	return digits, true
}

// ordered64 maps the bits of a number to an integer of the same order, so that near numbers are near integers.
func ordered64(b uint64) int64 {
	if b>>63 == 1 {
		return int64(b ^ math.MaxInt64)
	}
	return int64(b)
}

func unordered64(i int64) uint64 { return uint64(ordered64(uint64(i))) }

func ordered32(b uint32) int32 {
	if b>>31 == 1 {
		return int32(b ^ math.MaxInt32)
	}
	return int32(b)
}

func unordered32(i int32) uint32 { return uint32(ordered32(uint32(i))) }

// readBlock reads what appendBlock wrote.
func readBlock(in []byte) ([]track.Point, error) {
	if len(in) < 4 {
		return nil, fmt.Errorf("%w: a block is cut off", errDamaged)
	}
	body, sum := in[:len(in)-4], binary.LittleEndian.Uint32(in[len(in)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: a block does not match its checksum", errDamaged)
	}
	pts, err := decodePoints(body)
	if err != nil {
		return nil, fmt.Errorf("%w: a block cannot be decoded", errDamaged)
	}
	return pts, nil
}

func decodePoints(body []byte) ([]track.Point, error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n == 0 || n > blockPoints {
		return nil, errDamaged
	}
	pts, column := make([]track.Point, n), make([]int64, n)
	rest, err := readColumn(body[size:], column)
	if err != nil {
		return nil, err
	}
	for i := range pts {
		pts[i].Time = column[i]
	}
	if rest, err = readColumn(rest, column); err != nil {
		return nil, err
	}
	for i := range pts {
		pts[i].Step = column[i]
	}
	r := byteReader{in: rest}
	switch kind := r.byte(); kind {
	case valueDecimal:
		digits := r.byte()
		if _, err := readColumn(r.in, column); err != nil || r.bad || digits > maxDecimals {
			return nil, errDamaged
		}
		scale := 1.0
		for range digits {
			scale *= 10
		}
		for i := range pts {
			pts[i].Value = float64(column[i]) / scale
		}
	case valueSingle, valueDouble:
		if _, err := readColumn(r.in, column); err != nil || r.bad {
			return nil, errDamaged
		}
		for i := range pts {
			if kind == valueSingle {
				pts[i].Value = float64(math.Float32frombits(unordered32(int32(column[i]))))
			} else {
				pts[i].Value = math.Float64frombits(unordered64(column[i]))
			}
		}
	default:
		return nil, errDamaged
	}
	return pts, nil
}
