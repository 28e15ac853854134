package pyenv

import "strings"

// shellCommands splits a line of shell into simple commands joined by && and each into words. It understands quotes and
// backslashes. ok is false for anything whose meaning needs a shell: expansions, pipes, redirections, globs.
func shellCommands(line string) (commands [][]string, ok bool) {
	s := splitter{}
	for i := 0; i < len(line); {
		n := s.next(line[i:])
		if n == 0 {
			return nil, false
		}
		i += n
	}
	s.endWord()
	s.endCommand()
	return s.commands, true
}

type splitter struct {
	commands [][]string
	words    []string
	word     strings.Builder
	open     bool // a word has begun, possibly an empty quoted one
}

func (s *splitter) endWord() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}

func (s *splitter) endCommand() {
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words = nil
}

// next takes the beginning of rest and returns how many bytes it took, or 0 when it cannot.
func (s *splitter) next(rest string) int {
	switch c := rest[0]; c {
	case ' ', '\t':
		s.endWord()
		return 1
	case '&':
		if !strings.HasPrefix(rest, "&&") {
			return 0
		}
		s.endWord()
		s.endCommand()
		return 2
	case '\'':
		end := strings.IndexByte(rest[1:], '\'')
		if end < 0 {
			return 0
		}
		s.open = true
		s.word.WriteString(rest[1 : 1+end])
		return end + 2
	case '"':
		return s.doubleQuoted(rest)
	case '\\':
		if len(rest) < 2 {
			return 0
		}
		s.open = true
		if rest[1] != '\n' {
			s.word.WriteByte(rest[1])
		}
		return 2
	case '$', '`', '|', ';', '<', '>', '(', ')', '*', '?', '{', '}', '#', '\n', '~':
		return 0
	default:
		s.open = true
		s.word.WriteByte(c)
		return 1
	}
}

func (s *splitter) doubleQuoted(rest string) int {
	s.open = true
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			return i + 1
		case c == '$' || c == '`':
			return 0
		case c == '\\' && i+1 < len(rest) && strings.IndexByte(`"\$`+"`", rest[i+1]) >= 0:
			i++
			s.word.WriteByte(rest[i])
		default:
			s.word.WriteByte(c)
		}
	}
	return 0
}
