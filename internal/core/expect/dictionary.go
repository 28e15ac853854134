package expect

// dictionary keeps what was computed of the texts of a dictionary for as long as batches come with the same one: a file has one for
// many thousands of rows, and each batch has most of its texts.
type dictionary[T any] struct {
	texts []string
	// of is by the code of a text; the zero value says that it was not computed.
	of []T
}

// begin is called with the dictionary of each batch. What is known of another one is forgotten.
func (d *dictionary[T]) begin(texts []string) {
	if len(texts) == len(d.texts) && (len(texts) == 0 || &texts[0] == &d.texts[0]) {
		return // nobody changes the texts of a dictionary
	}
	d.texts, d.of = texts, make([]T, len(texts))
}
