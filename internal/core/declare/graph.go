package declare

import "slices"

// InOrder returns the places of the resources of a kind in the order in which they can be made: as they are declared, but graphs after
// those that they ask. Graphs that ask one another in a circle are in some order.
func InOrder(resources []Resource, kind Kind) []int {
	var out []int
	var add func(i int, within []int)
	add = func(i int, within []int) {
		if slices.Contains(out, i) || slices.Contains(within, i) {
			return
		}
		within = append(within, i)
		for j, other := range resources {
			if other.Kind == Graph && resources[i].Graph != nil && resources[i].Graph.Asks(other.Name) {
				add(j, within)
			}
		}
		out = append(out, i)
	}
	for i, r := range resources {
		if r.Kind == kind {
			add(i, nil)
		}
	}
	return out
}
