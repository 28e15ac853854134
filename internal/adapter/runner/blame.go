package runner

import (
	"bytes"
	"regexp"
	"strings"

	"levada/internal/adapter/steplog"
)

const traceback = "Traceback (most recent call last):"

// withDetail returns ": " and the part of a step's last output that says why it failed: the exception of a Python
// traceback, else the last line.
func withDetail(stderr []byte) string {
	if detail := reason(stderr); detail != "" {
		return ": " + detail
	}
	return ""
}

func reason(stderr []byte) string {
	var lines []string
	for l := range bytes.SplitSeq(stderr, []byte{'\n'}) {
		lines = append(lines, strings.TrimRight(steplog.Printable(bytes.TrimRight(l, "\r")), " \t"))
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.TrimLeft(lines[i], " |+-") == traceback {
			if e := exception(lines[i+1:]); e != "" {
				return shorten(e)
			}
			break
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.TrimSpace(lines[i]) != "" {
			return shorten(strings.TrimSpace(lines[i]))
		}
	}
	return ""
}

// exception returns the line after a traceback's frames, with the rest of a message of several lines.
func exception(lines []string) string {
	for i, l := range lines {
		if l == "" || l[0] == ' ' || l[0] == '\t' {
			continue
		}
		rest := lines[i:min(i+5, len(lines))]
		return strings.TrimSpace(strings.Join(rest, "\n"))
	}
	return ""
}

func shorten(s string) string {
	const limit = 1000
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}

var missingModule = regexp.MustCompile(`ModuleNotFoundError: No module named '([^']+)'`)

// advice says what to do about a module that the step's environment lacks.
func advice(image string, stderr []byte) string {
	m := missingModule.FindSubmatch(stderr)
	if m == nil {
		return ""
	}
	return ". The step runs in a Python environment without the packages of its image: add the package that provides " +
		string(m[1]) + " to packages_to_install of the component, or to the requirements of image " + image + " in the configuration"
}
