package ir

import "errors"

// ResolveContainer returns a copy of c in which every placeholder of the image, command, arguments and
// environment is replaced. Arguments that resolve to nothing (an IfPresent without its input) are left out.
func ResolveContainer(c *Container, in *ExecutorInput, p Placeholders) (*Container, error) {
	return nil, errors.New("wip")
}

// ResolveLimits returns what a container asks for, with placeholders replaced and quantities parsed.
func ResolveLimits(r *Resources, in *ExecutorInput, p Placeholders) (Limits, error) {
	return Limits{}, errors.New("wip")
}
