// Package app puts Levada together: it is the only place that reads the process's environment and builds services,
// adapters and doors.
//
// It holds no decisions of its own. Start reading at Main for a process, at open for the parts of a server.
package app

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"levada/internal/adapter/runner"
	"levada/internal/cli"
)

// Version is set by the linker; a build without it calls itself "dev".
var Version = "dev"

// Main runs the command line of this process and returns its exit status. The first interrupt or SIGTERM asks the command to
// stop; a second one ends the process at once.
func Main() int {
	if len(os.Args) > 1 && os.Args[1] == runner.EnterCommand {
		return runner.Enter(os.Args[2:], os.Environ())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	return Run(ctx, os.Args[1:])
}

// Run runs a command line without the program's name.
func Run(ctx context.Context, args []string) int {
	b := builder{environ: os.Environ(), stderr: os.Stderr}
	return cli.Execute(ctx, cli.Deps{
		Serve: b.serve, Open: b.openLocal, Look: b.look, KFPPython: b.kfpPython, OpenDatabase: b.openDatabase, FindUV: b.findUV, Isolation: b.isolation,
		TestEngine: b.rehearse, TestPython: b.testPython, TestLibrary: b.testLibrary,
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
