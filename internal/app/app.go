// Package app puts Levada together: it is the only place that reads the process's environment and builds services,
// adapters and doors.
//
// It holds no decisions of its own. Start reading at Main for a process, at open for the parts of a server.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"levada/internal/adapter/aside"
	"levada/internal/adapter/files"
	"levada/internal/adapter/imagefile"
	"levada/internal/adapter/partfile"
	"levada/internal/adapter/runner"
	"levada/internal/adapter/tabular"
	"levada/internal/cli"
	tables "levada/internal/core/table"
)

// Version is set by the linker; a build without it calls itself "dev".
var Version = "dev"

// Main runs the command line of this process and returns its exit status. The first interrupt, hangup or SIGTERM asks the command
// to stop; a second one ends the process at once.
func Main() int {
	if len(os.Args) > 1 && os.Args[1] == runner.EnterCommand {
		return runner.Enter(os.Args[2:], os.Environ())
	}
	if len(os.Args) == 2 && os.Args[1] == runner.SuperviseCommand {
		return runner.Supervise(os.Environ())
	}
	if len(os.Args) == 2 && os.Args[1] == readTablesCommand {
		return aside.Serve(os.Stdin, os.Stdout, os.Environ(), readTables)
	}
	args := os.Args[1:]
	if len(args) == 2 && args[0] == runner.ArgumentsCommand {
		var err error
		if args, err = runner.Arguments(args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "levada:", err)
			return 1
		}
	}
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGHUP, syscall.SIGTERM)
	go func() { // ends with the process
		s := <-signals
		signal.Stop(signals)
		if s == syscall.SIGTERM {
			stop(errTerminated)
			return
		}
		stop(errInterrupted)
	}()
	return Run(ctx, args)
}

// Why the process is to end. Somebody at a terminal who stops a server expects that nothing of it goes on; a service manager
// stops it to start it again, maybe as a newer version, and wants long steps to go on meanwhile.
var (
	errInterrupted = errors.New("interrupted")
	errTerminated  = errors.New("terminated")
)

// Run runs a command line without the program's name.
func Run(ctx context.Context, args []string) int {
	b := builder{environ: os.Environ(), stderr: os.Stderr}
	return cli.Execute(ctx, cli.Deps{
		Serve: b.serve, Open: b.openLocal, Look: b.look, KFPPython: b.kfpPython, OpenDatabase: b.openDatabase, FindUV: b.findUV, Isolation: b.isolation,
		TestEngine: b.rehearse, TestPython: b.testPython, TestLibrary: b.testLibrary, OpenTable: b.tableOpener(ctx), OpenKept: openKept,
		Version: Version, Commit: commit(), GoVersion: runtime.Version(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: b.environ,
	}, args)
}

// commit is the revision that the toolchain recorded, if it did.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// openTable opens what has rows: images in a directory, or a table in files.
func openTable(path string) (tables.Source, io.Closer, error) {
	set, err := imagefile.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if set != nil {
		return set, io.NopCloser(nil), nil
	}
	return tabular.OpenSource(path)
}

// openKept opens a table of which the profile is made, and what is kept in dir of its files from earlier profiles.
func openKept(ctx context.Context, path, dir string) (tables.Source, cli.Keeper, error) {
	if set, err := imagefile.Open(path); set != nil || err != nil {
		return set, nil, err
	}
	k, err := partfile.Open(ctx, partfile.Options{Dir: dir, Digest: files.Files{}.Digest})
	if err != nil {
		return nil, nil, err
	}
	src, err := tabular.OpenKept(path, k)
	return src, k, err
}
