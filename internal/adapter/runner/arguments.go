package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// ArgumentsCommand is the argument with which a step calls Levada itself where its arguments are longer than a system takes, such as a
// large schema to check a table against: levada ArgumentsCommand FILE. It is not for people.
const ArgumentsCommand = "__arguments"

// mostArguments is how many bytes of arguments are given to Levada itself as they are. Linux takes 131,071 in one
// (MAX_ARG_STRLEN, execve(2)), macOS a MiB with the environment in all.
const mostArguments = 100 << 10

// shortenArguments has Levada itself, which the ready-made components call, read long arguments from a file. Other programs cannot.
func (l layout) shortenArguments(j *job) error {
	long := 0
	for _, a := range j.Argv {
		long += len(a)
	}
	if j.Argv[0] != "levada" || long <= mostArguments {
		return nil
	}
	text, err := json.Marshal(j.Argv[1:])
	if err != nil {
		return err
	}
	path := filepath.Join(l.component(), "arguments.json")
	if err := os.MkdirAll(l.component(), 0o755); err != nil {
		return err
	}
	j.Argv = []string{"levada", ArgumentsCommand, path}
	return os.WriteFile(path, text, 0o644)
}

// Arguments are those of Levada in a file that a step was given.
func Arguments(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the arguments of a step: %w", err)
	}
	var args []string
	if err := json.Unmarshal(text, &args); err != nil {
		return nil, fmt.Errorf("read the arguments of a step in %s: %w", path, err)
	}
	return args, nil
}
