// Package python holds Levada's Python side as files: the warm host and the entry points of steps, and the
// package levada, which tests of pipelines import.
//
// The files are standard library only, work on Python 3.9 to 3.14 and know nothing of the server but the protocol that
// warmhost.py describes.
package python

import "embed"

// Files are the Python files, by name.
//
//go:embed *.py
var Files embed.FS

// Library is the Python package that tests of pipelines import, with its directories.
//
//go:embed levada/*.py levada/testing/*.py levada/py.typed
var Library embed.FS
