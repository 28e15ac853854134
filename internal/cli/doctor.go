package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/config"
)

// verdict is how one check of the doctor came out.
type verdict string

const (
	fine   verdict = "OK"
	worry  verdict = "WARN"
	broken verdict = "FAIL"
)

// finding is the result of one check.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Found   string  `json:"found"`
	// Repair says what to do about a verdict that is not OK.
	Repair string `json:"repair,omitempty"`
}

// checkup is what the checks look at.
type checkup struct {
	app    *app
	config config.Config
	// url is the server that serves the data directory, empty when none does.
	url string
}

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Check what Levada needs on this machine",
		Long:    "Check what Levada needs on this machine, and say how to repair what is wrong. The exit status is 1 when a check fails.",
		Example: "  levada doctor\n  levada doctor -o json",
		Args:    cobra.NoArgs,
	}
	a.addSettings(cmd, "listen")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(cmd)
		if err != nil {
			return err
		}
		c := checkup{app: a, config: cfg.Config}
		c.url, _ = runningServer(cmd.Context(), cfg.DataDir)
		var findings []finding
		failed := false
		for _, check := range []func(context.Context) finding{c.dataDir, c.fileSystem, c.space, c.database, c.address,
			c.python, c.uv, c.isolation, c.environments, c.clock} {
			f := check(cmd.Context())
			failed = failed || f.Verdict == broken
			findings = append(findings, f)
		}
		if out.json() {
			err = a.printJSON(map[string]any{"findings": findings, "ok": !failed})
		} else {
			err = a.printFindings(findings)
		}
		if err == nil && failed {
			return exitStatus(ExitFailed)
		}
		return err
	}
	return cmd
}

func (a *app) printFindings(findings []finding) error {
	style := a.style(a.deps.Stdout)
	for _, f := range findings {
		word := console.Pad(string(f.Verdict), 4)
		switch f.Verdict {
		case fine:
			word = style.Good(word)
		case worry:
			word = style.Warn(word)
		default:
			word = style.Bad(word)
		}
		if _, err := fmt.Fprintf(a.deps.Stdout, "%s  %s  %s\n", word, console.Pad(f.Check, 14), console.Clean(f.Found)); err != nil {
			return err
		}
		if f.Repair != "" {
			fmt.Fprintf(a.deps.Stdout, "%s%s\n", strings.Repeat(" ", 22), f.Repair)
		}
	}
	return nil
}

func (c checkup) dataDir(context.Context) finding {
	dir := c.config.DataDir
	f := finding{Check: "data directory", Verdict: fine, Found: dir}
	existing, err := nearestDirectory(dir)
	if err == nil {
		err = tryWriting(existing)
	}
	if err != nil {
		f.Verdict, f.Found = broken, fmt.Sprintf("%s cannot be written: %v", dir, err)
		f.Repair = "Give this user write access to it, or choose another directory with --data or LEVADA_DATA."
		return f
	}
	if existing != dir {
		f.Found += " (will be created)"
	}
	return f
}

// nearestDirectory is dir, or the directory in which it would be created.
func nearestDirectory(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() {
			return dir, nil
		}
		if err == nil {
			return "", fmt.Errorf("%s is a file", dir)
		}
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

func tryWriting(dir string) error {
	f, err := os.CreateTemp(dir, ".levada-doctor-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("written by levada doctor\n")
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

func (c checkup) fileSystem(context.Context) finding {
	f := finding{Check: "file system", Verdict: fine, Found: "local"}
	dir, err := nearestDirectory(c.config.DataDir)
	if err != nil {
		return finding{Check: f.Check, Verdict: worry, Found: "not known: " + err.Error(), Repair: "Repair the data directory first."}
	}
	if name := networkFileSystem(dir); name != "" {
		f.Verdict, f.Found = worry, "the data directory is on a network file system ("+name+")"
		f.Repair = "SQLite needs file locks that network file systems often get wrong: choose a local directory with --data."
	}
	return f
}

func (c checkup) space(context.Context) finding {
	f := finding{Check: "disk space", Verdict: fine}
	dir, err := nearestDirectory(c.config.DataDir)
	var free uint64
	if err == nil {
		free, err = freeBytes(dir)
	}
	if err != nil {
		f.Verdict, f.Found, f.Repair = worry, "not known: "+err.Error(), "Look at it yourself: environments take up to a few GiB."
		return f
	}
	f.Found = console.Bytes(int64(min(free, 1<<62))) + " free"
	switch {
	case free < 256<<20:
		f.Verdict, f.Repair = broken, "Free some space, or choose another directory with --data: runs would fail for lack of it."
	case free < 5<<30:
		f.Verdict, f.Repair = worry, "Python environments take up to a few GiB each: free some space, or choose another directory with --data."
	}
	return f
}

func (c checkup) database(ctx context.Context) finding {
	f := finding{Check: "database", Verdict: fine}
	switch {
	case c.url != "":
		f.Found = "in use by the server at " + c.url
		return f
	case c.app.deps.OpenDatabase == nil:
		f.Found = "not checked by this build"
		return f
	}
	if _, err := os.Stat(c.config.DataDir); errors.Is(err, fs.ErrNotExist) {
		f.Found = "will be created"
		return f
	}
	if err := c.app.deps.OpenDatabase(ctx, c.config); err != nil {
		f.Verdict, f.Found = broken, err.Error()
		f.Repair = "If another command is using the data directory, wait for it. Else restore the directory from a backup, or start with a new one (--data)."
		return f
	}
	f.Found = "opens"
	return f
}

func (c checkup) address(ctx context.Context) finding {
	f := finding{Check: "address", Verdict: fine}
	if c.url != "" {
		f.Found = "Levada is listening on " + c.url
		return f
	}
	if err := c.config.CheckListen(); err != nil {
		f.Verdict, f.Found, f.Repair = broken, err.Error(), "Change listen: \"levada config\" says where it comes from."
		return f
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.config.Listen)
	if err != nil {
		f.Verdict, f.Found = worry, fmt.Sprintf("%s is not free: %v", c.config.Listen, err)
		f.Repair = "Choose another with \"levada up --listen 127.0.0.1:PORT\"; commands that need no server work as they are."
		return f
	}
	f.Found = c.config.Listen + " is free"
	if err := l.Close(); err != nil {
		f.Verdict, f.Found = worry, err.Error()
	}
	return f
}

func (c checkup) python(ctx context.Context) finding {
	f := finding{Check: "Python"}
	const repair = "Install Python 3.9 or newer with its venv module, such that python3 is on the PATH."
	path, ok := lookPath("python3", c.app.environ["PATH"])
	if !ok {
		f.Verdict, f.Found, f.Repair = worry, "there is no python3 on the PATH; steps written in Python need one", repair
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-c", "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])")
	cmd.Env = c.app.deps.Environ
	out, err := cmd.Output()
	version := strings.TrimSpace(string(out))
	var major, minor int
	if _, scanErr := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || scanErr != nil {
		f.Verdict, f.Found, f.Repair = broken, path+" does not run, or lacks venv and ensurepip", repair
		return f
	}
	f.Verdict, f.Found = fine, version+" at "+path
	if major != 3 || minor < 9 {
		f.Verdict, f.Repair = broken, repair
	}
	return f
}

func (c checkup) uv(ctx context.Context) finding {
	f := finding{Check: "uv", Verdict: fine}
	path, ok := lookPath("uv", c.app.environ["PATH"])
	if !ok && c.app.deps.FindUV != nil {
		found, err := c.app.deps.FindUV(ctx, c.config)
		path, ok = found, err == nil && found != ""
	}
	if ok {
		f.Found = path
		return f
	}
	f.Verdict, f.Found = worry, "not found; it is fetched from the Python package index when first needed, else venv and pip are used"
	f.Repair = "To have it now: pip install uv"
	return f
}

// isolation says whether fixed paths of steps that run at once can clash.
func (c checkup) isolation(context.Context) finding {
	f := finding{Check: "isolation", Verdict: fine, Found: "each step has a /tmp and mounts of its own"}
	if c.app.deps.Isolation == nil {
		f.Found = "not asked"
		return f
	}
	if err := c.app.deps.Isolation(c.config); err != nil {
		f.Verdict, f.Found = worry, "steps share /tmp, and volumes cannot be mounted at the paths they name: "+err.Error()
		f.Repair = "Allow user namespaces (on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; in a container: " +
			"--security-opt seccomp=unconfined), or run as root."
		if !c.config.Isolation {
			f.Repair = "Set isolation to true."
		}
	}
	return f
}

// environments asks the engine only when a server runs: starting one would take up what runs were interrupted.
func (c checkup) environments(ctx context.Context) finding {
	f := finding{Check: "environments", Verdict: fine}
	if c.url == "" {
		f.Found = "not asked, no server is running; see \"levada env list\""
		return f
	}
	s, err := c.app.dial(ctx, c.url)
	if err != nil {
		f.Verdict, f.Found, f.Repair = broken, err.Error(), "Restart the server."
		return f
	}
	defer s.Client.Close()
	list, err := s.Environments(ctx)
	if err != nil {
		f.Verdict, f.Found, f.Repair = broken, err.Error(), "See the server's log."
		return f
	}
	var size int64
	building := 0
	for _, e := range list {
		size += e.SizeBytes
		if strings.EqualFold(e.State, "building") {
			building++
		}
	}
	f.Found = fmt.Sprintf("%d, %s", len(list), console.Bytes(size))
	if building > 0 {
		f.Found += fmt.Sprintf("; %d being built", building)
	}
	return f
}

// clock finds a machine whose time is far off, which would put runs in the wrong order and break certificates.
func (c checkup) clock(context.Context) finding {
	now := c.app.deps.Now()
	f := finding{Check: "clock", Verdict: fine, Found: now.Format(time.RFC3339)}
	// No machine runs a program that was built after its present.
	if now.Year() < 2026 {
		f.Verdict, f.Repair = broken, "Set the clock: it is before the time this program was written."
		return f
	}
	if info, err := os.Stat(c.config.DataDir); err == nil && info.ModTime().Sub(now) > time.Hour {
		f.Verdict, f.Repair = worry, "Check the clock: the data directory was changed in the future."
	}
	return f
}
