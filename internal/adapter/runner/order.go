package runner

import (
	"time"

	"levada/internal/core/run"
)

// order is all that is needed to start an attempt and see it through to its end, whichever process does it.
type order struct {
	Run     string `json:"run"`
	Task    string `json:"task"`
	Attempt int    `json:"attempt"`
	Path    string `json:"path"` // of the task, for messages
	Root    string `json:"root"` // the attempt's directory

	Job job `json:"job"`
	// Interpreter has the warm host for the job; nil when it is executed as written. Plain asks for one that has only kfp
	// imported.
	Interpreter *interpreter `json:"interpreter,omitempty"`
	Plain       bool         `json:"plain,omitempty"`

	// Reuse names what the step may share a process with, one after the other; empty for a process of its own.
	Reuse string `json:"reuse,omitempty"`

	// Memory is the limit in bytes, Timeout how long the step may run, Grace how long it may take to end when asked to; 0 is none.
	Memory  int64         `json:"memory,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
	Grace   time.Duration `json:"grace"`
	// Placed is what the step finds at paths of its choice, for the record.
	Placed []placed `json:"placed,omitempty"`
	// Hide are values that must not be seen in what the step prints. They are in no file.
	Hide [][]byte `json:"hide,omitempty"`
	// Devices are the accelerators that the step has to itself.
	Devices []int `json:"devices,omitempty"`
	// Environment is the digest of what it runs in, for whoever looks at what it used.
	Environment string `json:"environment,omitempty"`
	// Image is named in advice.
	Image string `json:"image"`
}

// job is a process to be started.
type job struct {
	Argv []string          `json:"argv"`
	Env  map[string]string `json:"env"`
	Dir  string            `json:"dir"`
	// Module holds the arguments of kfp.dsl.executor_main, for a warm host; empty when there is none for the job.
	Module []string `json:"module,omitempty"`
	// View is the file system of its own that it gets, or nil.
	View *view `json:"view,omitempty"`
}

// interpreter is a Python environment as a warm host needs it.
type interpreter struct {
	Key        string `json:"key"`
	Path       string `json:"path"`
	Executable string `json:"executable"`
	Bin        string `json:"bin"`
}

func (o *order) podUID() string { return podUID(&run.Step{TaskID: o.Task, Attempt: o.Attempt}) }
