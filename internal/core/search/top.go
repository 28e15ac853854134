package search

import "slices"

// Keyed is a row with what it is sorted by.
type Keyed[T any] struct {
	Row  T
	Keys []Key
}

// KeyAll reads the keys of rows; show gives what an order sees of a row.
func KeyAll[T any](rows []T, orders []Order, show func(row T, order int) Row) []Keyed[T] {
	out, keys := make([]Keyed[T], len(rows)), make([]Key, len(rows)*len(orders))
	for i, row := range rows {
		out[i] = Keyed[T]{row, keys[i*len(orders) : (i+1)*len(orders)]}
		for j, o := range orders {
			out[i].Keys[j] = o.KeyOf(show(row, j))
		}
	}
	return out
}

// Top moves the first n rows of an order to the front of the list, sorted, and returns them: a page needs no more. The others
// follow in any order.
func Top[T any](rows []T, n int, compare func(a, b T) int) []T {
	if n = min(max(n, 0), len(rows)); n == 0 {
		return rows[:0]
	}
	// Quickselect: halves in which all belong to the page, or none does, are not sorted.
	low, high := 0, len(rows)
	for high-low > 32 && low < n {
		pivot := median(rows[low], rows[(low+high)/2], rows[high-1], compare)
		i, j, k := low, low, high // [low,i) before the pivot, [i,j) like it, [k,high) behind it
		for j < k {
			switch c := compare(rows[j], pivot); {
			case c < 0:
				rows[i], rows[j] = rows[j], rows[i]
				i++
				j++
			case c > 0:
				k--
				rows[j], rows[k] = rows[k], rows[j]
			default:
				j++
			}
		}
		switch {
		case n <= i:
			high = i
		case n >= k:
			low = k
		default:
			low, high = n, n // the page ends among rows that are alike
		}
	}
	slices.SortFunc(rows[low:high], compare)
	slices.SortFunc(rows[:n], compare)
	return rows[:n]
}

func median[T any](a, b, c T, compare func(a, b T) int) T {
	if compare(a, b) > 0 {
		a, b = b, a
	}
	if compare(b, c) > 0 {
		b = c
		if compare(a, b) > 0 {
			b = a
		}
	}
	return b
}
