package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"levada/internal/adapter/subprocess"
	"levada/internal/core/run"
)

// identity names a process for as long as the machine is up: the system uses a pid again, but not with the same start time.
type identity struct {
	PID int `json:"pid"`
	// Start is in clock ticks since the machine was started (field 22 of /proc/PID/stat); 0 where that is not known.
	Start uint64 `json:"start"`
}

func identify(pid int) identity { return identity{pid, startTime(pid)} }

// alive reports whether this very process still runs. Where start times are not known no process is taken for it.
func (i identity) alive() bool { return i.PID > 1 && i.Start != 0 && startTime(i.PID) == i.Start }

// record says who runs an attempt and how it ended. It is what a server that was started again knows of the attempt. The file in the
// attempt's directory has a line for each state of it, and the last whole one counts: a line is there or it is not,
// whenever the process that writes it is killed. The file is not synced: it counts only as long as the machine is up,
// because after a power failure the files that the step wrote may be missing too.
type record struct {
	// Boot is the start of the machine that the record belongs to.
	Boot string `json:"boot,omitempty"`
	// Supervisor waits for the step, Step leads the step's session; Step is empty when nothing was started.
	Supervisor identity  `json:"supervisor"`
	Step       identity  `json:"step"`
	StartedAt  time.Time `json:"started_at"`

	// Placed says where on the machine the paths of the step are that are not what they seem.
	Placed []placed `json:"placed,omitempty"`
	// Devices are the accelerators that the step has to itself.
	Devices []int `json:"devices,omitempty"`

	// How the step was started: from a warm host, as an interpreter of its own because the host could not be used, or as written.
	How string `json:"how,omitempty"`

	// Ended is set when the step is over and nothing of it runs any more; Failure is nil when it went well.
	Ended   bool         `json:"ended,omitempty"`
	EndedAt time.Time    `json:"ended_at,omitzero"`
	Failure *run.Failure `json:"failure,omitempty"`
}

// The values of record.How.
const (
	howWarm     = "warm"
	howExec     = "exec"
	howFallback = "fallback"
)

// readRecord returns the record of an attempt's directory; found is false when the attempt was never started there. A record that
// cannot be read says only that it was.
func readRecord(root string) (rec record, found bool, err error) {
	b, err := os.ReadFile(recordFile(root))
	if errors.Is(err, fs.ErrNotExist) {
		return rec, false, nil
	}
	if err != nil {
		return rec, false, err
	}
	for end := bytes.LastIndexByte(b, '\n'); end >= 0; {
		start := bytes.LastIndexByte(b[:end], '\n')
		if json.Unmarshal(b[start+1:end], &rec) == nil {
			return rec, true, nil
		}
		rec, end = record{}, start
	}
	return record{}, true, nil
}

// recordWriter writes the record of an attempt.
type recordWriter struct {
	root   string
	file   *os.File
	broken bool // the last line is not whole
}

func (w *recordWriter) write(rec *record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if w.file == nil {
		if w.file, err = os.OpenFile(recordFile(w.root), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
			return err
		}
	}
	if w.broken {
		b = append([]byte{'\n'}, b...)
	}
	_, err = w.file.Write(append(b, '\n'))
	w.broken = err != nil
	return err
}

func (w *recordWriter) close() {
	if w.file != nil {
		w.file.Close()
	}
}

func recordFile(root string) string { return filepath.Join(root, "record") }

// current reports whether the record is from the present start of the machine; in one from before, no process means anything.
func (rec *record) current() bool { return rec.Boot == bootID() }

// endLeftovers kills what still runs of an attempt whose supervisor is gone.
func endLeftovers(root string, rec *record, podUID string) {
	if rec.current() && rec.Step.alive() {
		kill(rec.Step.PID, syscall.SIGKILL)
	}
	if rec.current() && rec.Step.PID > 1 {
		// The leader may have ended before the others of its session. No other session can have its id while they run.
		for _, p := range subprocess.OfSession(rec.Step.PID) {
			if p.Start >= rec.Step.Start {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
	}
	for _, pid := range strays(root, podUID) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// lost is how an attempt ends whose result nobody knows.
func lost(why string) *run.Failure {
	return &run.Failure{Reason: run.ReasonLost, Message: "the result of the attempt is not known: " + why}
}
