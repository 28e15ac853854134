package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"levada/internal/core/fault"
)

func (a *app) upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the server",
		Long: "Start the server: the API that kfp.Client talks to, the web page, and the engine that runs pipelines.\n" +
			"Ctrl-C stops it, and the steps that run; SIGTERM stops it and lets them go on. The next start takes up both the runs\n" +
			"and the steps.",
		Example: "  levada up\n  levada up --data ./levada-data --listen 127.0.0.1:9000",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.up(cmd) },
	}
	a.addSettings(cmd, "listen", "insecure", "log_level", "log_format", "max_parallel", "warm_python", "cache_max_age", "serving_max_mib", "serving_ports", "serving_memory_mib")
	return cmd
}

func (a *app) up(cmd *cobra.Command) error {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	if err := cfg.CheckListen(); err != nil {
		return err
	}
	if _, err := cfg.Ports(); err != nil {
		return err
	}
	if url, ok := runningServer(cmd.Context(), cfg.DataDir); ok {
		return fault.Conflictf("a server is already running at %s on the data directory %s; stop it first, or give "+
			"another directory with --data and another address with --listen", url, cfg.DataDir)
	}
	pid := os.Getpid()
	var announceErr error
	err = a.deps.Serve(cmd.Context(), cfg.Config, func(url string) {
		announceErr = writeServerFile(cfg.DataDir, serverFile{URL: url, PID: pid})
		if announceErr != nil {
			fmt.Fprintf(a.deps.Stderr, "levada: other commands will not find this server without --server %s: %v\n", url, announceErr)
		}
		fmt.Fprintf(a.deps.Stdout, "Levada is listening on %s\nData directory: %s\n", url, cfg.DataDir)
	})
	if removeErr := removeServerFile(cfg.DataDir, pid); removeErr != nil && err == nil {
		err = fmt.Errorf("take the announcement back: %w", removeErr)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return portInUse(cfg.Listen)
	}
	return err
}

func portInUse(listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	return fault.Conflictf("port %s is in use by another program; choose another with --listen %s, or any free one with --listen %s",
		port, net.JoinHostPort(host, nextPort(port)), net.JoinHostPort(host, "0"))
}

// nextPort suggests a neighbour.
func nextPort(port string) string {
	var n int
	if _, err := fmt.Sscanf(port, "%d", &n); err != nil || n >= 65535 {
		return "8081"
	}
	return fmt.Sprint(n + 1)
}
