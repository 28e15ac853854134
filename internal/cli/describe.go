package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/config"
)

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  levada version -o json",
		Args:    cobra.NoArgs,
	}
	out := addOutput(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if out.json() {
			return a.printJSON(map[string]string{"version": a.deps.Version, "commit": a.deps.Commit, "go": a.deps.GoVersion})
		}
		line := "levada " + a.deps.Version
		if a.deps.Commit != "" {
			line += " (" + console.ShortID(a.deps.Commit) + ")"
		}
		_, err := fmt.Fprintln(a.deps.Stdout, line)
		return err
	}
	return cmd
}

// settingValue is one line of `levada config`.
type settingValue struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`
	Flag   string `json:"flag,omitempty"`
	Env    string `json:"env"`
	Doc    string `json:"doc"`
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings and where each comes from",
		Long: "Print the settings and where each comes from. A flag wins over the environment, which wins over the file\n" +
			"(levada.yaml in the data directory, or the one named by --config), which wins over the default.",
		Example: "  levada config\n  LEVADA_LISTEN=127.0.0.1:9000 levada config -o json",
		Args:    cobra.NoArgs,
	}
	a.addSettings(cmd, "listen", "insecure", "log_level", "log_format", "max_parallel", "warm_python", "cache_max_age")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(cmd)
		if err != nil {
			return err
		}
		var values []settingValue
		table := console.NewTable("SETTING", "VALUE", "FROM", "MEANING")
		for _, s := range config.Settings() {
			v := settingValue{Key: s.Key, Value: s.Value(cfg.Config), Source: cfg.Origin[s.Key], Env: s.Env, Doc: s.Doc}
			if cmd.Flags().Lookup(s.Flag()) != nil {
				v.Flag = "--" + s.Flag()
			}
			values = append(values, v)
			table.Add(s.Key, shortValue(v.Value), console.Clean(v.Source), s.Doc)
		}
		if out.json() {
			return a.printJSON(map[string]any{"settings": values, "file": cfg.File})
		}
		return a.printTable(table)
	}
	return cmd
}

func (a *app) envCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "env",
		Short:   "Show the Python environments that steps run in",
		Example: "  levada env list",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the managed Python environments",
		Example: "  levada env list\n  levada env list -o json",
		Args:    cobra.NoArgs,
	}
	out := addOutput(list)
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			environments, err := s.Environments(ctx)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(map[string]any{"environments": append([]client.Environment{}, environments...)})
			}
			return a.printEnvironments(environments)
		})
	}
	cmd.AddCommand(list)
	return cmd
}

func (a *app) printEnvironments(environments []client.Environment) error {
	if len(environments) == 0 {
		_, err := fmt.Fprintln(a.deps.Stdout, "No Python environments yet. They are made when a step needs one.")
		return err
	}
	now := a.deps.Now()
	table := console.NewTable("ENVIRONMENT", "STATE", "PYTHON", "SIZE", "USED", "REQUIREMENTS")
	for _, e := range environments {
		used := ""
		if e.LastUsedAt != nil {
			used = console.Ago(*e.LastUsedAt, now)
		}
		table.Add(console.Clean(console.Cut(e.Key, 12)), console.Clean(e.State), console.Clean(e.Python), console.Bytes(e.SizeBytes), used,
			console.Clean(strings.Join(e.Requirements, " ")))
	}
	return a.printTable(table)
}

// compactJSON writes a value on a line of its own.
func compactJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// listNames says what there is, in order, or that there is nothing.
func listNames(intro string, names []string) string {
	if len(names) == 0 {
		return intro + " none"
	}
	slices.Sort(names)
	return intro + ": " + strings.Join(names, ", ")
}
