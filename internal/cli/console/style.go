package console

// Style colours text, or does not.
type Style struct{ Color bool }

func (s Style) wrap(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for what matters most.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Dim is for what matters least.
func (s Style) Dim(text string) string { return s.wrap("2", text) }

// Good is for success.
func (s Style) Good(text string) string { return s.wrap("32", text) }

// Bad is for failure.
func (s Style) Bad(text string) string { return s.wrap("31", text) }

// Warn is for what deserves a look.
func (s Style) Warn(text string) string { return s.wrap("33", text) }

// Busy is for what goes on.
func (s Style) Busy(text string) string { return s.wrap("36", text) }
