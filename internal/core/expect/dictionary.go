package expect

// dictionary keeps what was computed of the texts of a dictionary for as long as batches come with the same one: a file has one for
// thousands of rows, and most of its texts are in each batch.
type dictionary[T any] struct {
	texts []string
	known []bool
	value []T
}

// begin is called with the dictionary of each batch. What is known of another one is forgotten.
func (d *dictionary[T]) begin(texts []string) {
	if len(texts) == len(d.texts) && (len(texts) == 0 || &texts[0] == &d.texts[0]) {
		return // nobody changes the texts of a dictionary
	}
	d.texts, d.known, d.value = texts, make([]bool, len(texts)), make([]T, len(texts))
}

// of is the place of what is computed of a text, and whether it was computed before.
func (d *dictionary[T]) of(code uint32) (value *T, known bool) {
	known = d.known[code]
	d.known[code] = true
	return &d.value[code], known
}
