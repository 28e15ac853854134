package textual

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// script is a way of writing. Those that one language has stand for it.
type script uint8

const (
	none script = iota
	latinScript
	cyrillicScript
	arabicScript
	devanagariScript
	hanScript
	kanaScript
	firstOwn // scripts from here on belong to one language
)

// own are the scripts of one language, each a range of runes.
var own = []struct {
	low, high rune
	language  string
}{
	{0x0370, 0x03ff, "el"}, {0x1f00, 0x1fff, "el"}, {0x0530, 0x058f, "hy"}, {0x0590, 0x05ff, "he"}, {0x0980, 0x09ff, "bn"}, {0x0a00, 0x0a7f, "pa"},
	{0x0a80, 0x0aff, "gu"}, {0x0b00, 0x0b7f, "or"}, {0x0b80, 0x0bff, "ta"}, {0x0c00, 0x0c7f, "te"}, {0x0c80, 0x0cff, "kn"}, {0x0d00, 0x0d7f, "ml"},
	{0x0d80, 0x0dff, "si"}, {0x0e00, 0x0e7f, "th"}, {0x0e80, 0x0eff, "lo"}, {0x1000, 0x109f, "my"}, {0x10a0, 0x10ff, "ka"}, {0x1200, 0x137f, "am"},
	{0x1780, 0x17ff, "km"}, {0xac00, 0xd7af, "ko"},
}

func scriptOf(r rune) script {
	switch {
	case r < 0x250 || r >= 0x1e00 && r <= 0x1eff:
		return latinScript
	case r >= 0x0400 && r <= 0x052f:
		return cyrillicScript
	case r >= 0x0600 && r <= 0x077f || r >= 0xfb50 && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff:
		return arabicScript
	case r >= 0x0900 && r <= 0x097f:
		return devanagariScript
	case r >= 0x3040 && r <= 0x30ff:
		return kanaScript
	case r >= 0x3400 && r <= 0x9fff || r >= 0x20000 && r <= 0x2fa1f:
		return hanScript
	}
	for i, o := range own {
		if r >= o.low && r <= o.high {
			return firstOwn + script(i)
		}
	}
	return none
}

// model is what is known of the languages of a script, by word, ending and letter.
type model struct {
	languages []string
	words     map[string][]uint8
	endings   map[string][]uint8
	letters   map[rune][]uint8
}

func modelOf(all []marks) *model {
	m := &model{words: map[string][]uint8{}, endings: map[string][]uint8{}, letters: map[rune][]uint8{}}
	add := func(to map[string][]uint8, text string, language uint8) {
		for w := range strings.FieldsSeq(text) {
			if of := to[w]; len(of) == 0 || of[len(of)-1] != language {
				to[w] = append(of, language)
			}
		}
	}
	for i, x := range all {
		m.languages = append(m.languages, x.language)
		add(m.words, x.words, uint8(i))
		add(m.endings, x.endings, uint8(i))
		for _, r := range x.letters {
			m.letters[r] = append(m.letters[r], uint8(i))
		}
	}
	return m
}

var models = map[script]*model{
	latinScript: modelOf(latin), cyrillicScript: modelOf(cyrillic), devanagariScript: modelOf(devanagari), arabicScript: modelOf(arabic),
}

// The weights of what is found in a text, and how much of it there must be. They were set on one half of the sample that docs/data.md
// names; the accuracy there is that of the other half.
const (
	ofWord       = 1.0
	ofEnding     = 0.35
	ofLetter     = 0.45
	leastScore   = 0.9
	leastMargin  = 1.02 // over the next language
	mostLanguage = 1000 // bytes of a text that are looked at
	leastWords   = 2
	// leastLetters is how many letters a text needs for its language to be looked for.
	leastLetters = 12
)

// Language returns the code (ISO 639-1) of the language of a text; empty where the text is too short or does not tell. Scripts that
// one language uses are known by their letters, others by frequent small words, endings and rare letters.
func Language(text string) string {
	if len(text) > mostLanguage {
		text = text[:mostLanguage]
	}
	var counts [64]int
	letters := 0
	for _, r := range text {
		if r != utf8.RuneError && unicode.IsLetter(r) {
			letters++
			counts[scriptOf(r)]++
		}
	}
	best := none
	for s := latinScript; int(s) < int(firstOwn)+len(own); s++ {
		if counts[s] > counts[best] || best == none && counts[s] > 0 {
			best = s
		}
	}
	switch {
	case best == none:
		return ""
	case counts[kanaScript] > 0 && (best == hanScript || best == kanaScript) && counts[kanaScript]*10 >= letters:
		return "ja"
	case best == hanScript && letters >= 4:
		return "zh"
	case best >= firstOwn && letters >= 4:
		return own[best-firstOwn].language
	case letters < leastLetters || models[best] == nil:
		return ""
	}
	return models[best].decide(strings.ToLower(text))
}

// notOfAWord is what stands between words.
func notOfAWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Mc, r) && r != '\''
}

// longestEnding is how many letters an ending has at most.
const longestEnding = 6

// ending gives points for the endings of a word that are known.
func (m *model) ending(word string, give func(of []uint8, weight float64)) {
	size := 0
	for n := range longestEnding {
		_, w := utf8.DecodeLastRuneInString(word[:len(word)-size])
		if size += w; size >= len(word) {
			return
		}
		if of := m.endings[word[len(word)-size:]]; n > 0 && len(of) > 0 {
			give(of, ofEnding)
		}
	}
}

func (m *model) decide(text string) string {
	scores := make([]float64, len(m.languages))
	give := func(of []uint8, weight float64) {
		for _, l := range of {
			scores[l] += weight / float64(1+len(of)/3)
		}
	}
	words := 0
	for token := range strings.FieldsSeq(text) {
		if strings.ContainsAny(token, "0123456789_@") {
			continue // a code, not a word
		}
		for word := range strings.FieldsFuncSeq(token, notOfAWord) {
			words++
			if of := m.words[word]; len(of) > 0 {
				give(of, ofWord)
			} else {
				m.ending(word, give)
			}
		}
	}
	if words < leastWords {
		return ""
	}
	for _, r := range text {
		if r > 127 {
			if of := m.letters[r]; len(of) > 0 {
				give(of, ofLetter)
			}
		}
	}
	first, second := -1, -1
	for l, s := range scores {
		if first < 0 || s > scores[first] {
			first, second = l, first
		} else if second < 0 || s > scores[second] {
			second = l
		}
	}
	if scores[first] < leastScore || scores[first] < leastMargin*scores[second] {
		return ""
	}
	return m.languages[first]
}

// letters counts those of a text, as far as its language is looked for.
func letters(text string) int {
	n := 0
	for _, r := range text[:min(len(text), mostLanguage)] {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}
