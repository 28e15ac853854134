package runner

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
)

// Bounds on what a host imports for steps that may not come: memory, and time at its start.
const (
	maxLearned = 40
	maxSeen    = 400
	// enough is how many steps must have imported a module.
	enough = 2
)

// learnedModules is the file, beside an environment, that says what its steps import.
type learnedModules struct {
	path string
}

// imports is the content of that file.
type imports struct {
	// Modules are imported before steps are forked; Refused must not be, they start threads.
	Modules []string       `json:"modules"`
	Refused []string       `json:"refused,omitempty"`
	Seen    map[string]int `json:"seen,omitempty"`
}

func (l learnedModules) load() imports {
	var i imports
	b, err := os.ReadFile(l.path)
	if err != nil || json.Unmarshal(b, &i) != nil {
		return imports{}
	}
	return i
}

func (l learnedModules) save(b []byte) error {
	tmp := l.path + ".new"
	return errors.Join(os.WriteFile(tmp, b, 0o644), os.Rename(tmp, l.path))
}

func (i *imports) text() []byte {
	b, err := json.Marshal(i)
	if err != nil {
		return nil // strings and numbers cannot fail
	}
	return b
}

// learn counts what one step imported. A module that is learned is no longer reported by steps, so the counts stay small.
func (i *imports) learn(names []string) {
	for _, n := range names {
		if slices.Contains(i.Refused, n) || slices.Contains(i.Modules, n) || len(i.Modules) >= maxLearned {
			continue
		}
		if i.Seen == nil {
			i.Seen = make(map[string]int)
		}
		if len(i.Seen) >= maxSeen && i.Seen[n] == 0 {
			continue
		}
		if i.Seen[n]++; i.Seen[n] >= enough {
			i.Modules = append(i.Modules, n)
			delete(i.Seen, n)
		}
	}
}

func (i *imports) refuse(name string) {
	i.Modules = slices.DeleteFunc(i.Modules, func(m string) bool { return m == name })
	if !slices.Contains(i.Refused, name) {
		i.Refused = append(i.Refused, name)
	}
}
