package cachekey

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"levada/internal/core/run"
)

type partName struct{ kind, name string }

// Differences lists the parts in which a key differs from an earlier one, in the order of the parts. It is empty exactly when the
// keys are equal.
func Differences(before, after []run.KeyPart) []run.KeyDifference {
	old := make(map[partName]run.KeyPart, len(before))
	for _, p := range before {
		old[partName{p.Kind, p.Name}] = p
	}
	var out []run.KeyDifference
	seen := make(map[partName]bool, len(after))
	for _, p := range after {
		name := partName{p.Kind, p.Name}
		seen[name] = true
		switch o, known := old[name]; {
		case !known:
			out = append(out, difference(p.Kind, p.Name, run.KeyPart{}, p))
		case o.Digest != p.Digest:
			out = append(out, difference(p.Kind, p.Name, o, p))
		}
	}
	for _, p := range before {
		if !seen[partName{p.Kind, p.Name}] {
			out = append(out, difference(p.Kind, p.Name, p, run.KeyPart{}))
		}
	}
	return out
}

// difference puts into words how a part differs. A missing part has no digest.
func difference(kind, name string, before, after run.KeyPart) run.KeyDifference {
	d := run.KeyDifference{Kind: kind, Name: name, Before: before.Value, After: after.Value}
	was, is := before.Digest != "", after.Digest != ""
	switch kind {
	case run.PartCode:
		d.Text = "code of the component changed"
	case run.PartImage:
		d.Text = "image: " + arrow(before, after)
	case run.PartEnvironment:
		d.Text = "environment: other packages or another Python"
	case run.PartSecrets:
		d.Text = "a secret or config map that the step is given changed"
	case run.PartVariable:
		d.Text = "environment variable " + name + " has another value" // which may be secret
	case run.PartInterface:
		d.Text = "declared inputs or outputs changed"
	case run.PartKubernetes:
		d.Text = "Kubernetes settings changed"
	case run.PartParameter:
		d.Text = "parameter " + name + ": " + arrow(before, after)
	case run.PartArtifact:
		d.Text = "input artifact " + name + ": " + contentChange(before, after)
	case run.PartArtifactType:
		d.Text = "input artifact " + name + ": type " + arrow(before, after)
	case run.PartArtifactMetadata:
		d.Text = "metadata of input artifact " + name + ": " + arrow(before, after)
	case run.PartComponent:
		d.Text = "component of the custom key: " + arrow(before, after)
	case run.PartCustomKey:
		d.Text = "custom cache key: " + arrow(before, after)
	default:
		d.Text = kind + " " + name + ": " + arrow(before, after)
	}
	switch {
	case !was && kind == run.PartVariable:
		d.Text = "environment variable " + name + " is new"
	case !is && kind == run.PartVariable:
		d.Text = "environment variable " + name + " is not set any more"
	}
	return d
}

func arrow(before, after run.KeyPart) string {
	was, is := shown(before), shown(after)
	if was == is {
		return "changed, beyond what is shown: " + is
	}
	return was + " -> " + is
}

func shown(p run.KeyPart) string {
	switch {
	case p.Digest == "":
		return "not given"
	case p.Value == "":
		return p.Digest
	}
	return p.Value
}

// contentChange tells changed bytes from a changed address.
func contentChange(before, after run.KeyPart) string {
	if before.Digest == "" || after.Digest == "" {
		return arrow(before, after)
	}
	was, is := strings.Count(before.Value, ", ")+1, strings.Count(after.Value, ", ")+1
	switch {
	case was != is:
		return fmt.Sprintf("%d artifacts -> %d artifacts", was, is)
	case isDigest(before.Value) && isDigest(after.Value):
		return "bytes differ"
	}
	return arrow(before, after)
}

func isDigest(value string) bool {
	return strings.HasPrefix(value, "sha256:") || strings.HasPrefix(value, "dir-sha256:")
}

// PackageDifferences says in which packages ("name==version") two environments differ, one line each.
func PackageDifferences(before, after []string) []string {
	versions := func(list []string) map[string]string {
		out := make(map[string]string, len(list))
		for _, p := range list {
			name, version, _ := strings.Cut(p, "==")
			out[name] = version
		}
		return out
	}
	was, is := versions(before), versions(after)
	names := maps.Clone(was)
	maps.Copy(names, is)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := was[name]
		now, has := is[name]
		switch {
		case had && !has:
			out = append(out, name+" "+old+" is gone")
		case !had:
			out = append(out, name+" "+now+" is new")
		case old != now:
			out = append(out, name+" "+old+" -> "+now)
		}
	}
	return out
}
