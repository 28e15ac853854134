// Package components holds the ready-made components for KFP pipelines as files.
//
// The server builds the pipelines of monitors from them; what a component is, and how one becomes part of a pipeline, it does not know.
package components

import "embed"

// Data are the components that look at tables, by the names of their files: data/check.yaml and others.
//
//go:embed data/*.yaml
var Data embed.FS
