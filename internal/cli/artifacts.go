package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/run"
)

func (a *app) artifactsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "artifacts",
		Short:   "List and fetch what steps made",
		Example: "  levada artifacts list latest\n  levada artifacts get latest train model -O model.joblib",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.artifactsListCommand(), a.artifactsGetCommand())
	return cmd
}

func (a *app) artifactsListCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list [RUN]",
		Short:   "List artifacts: those of a run, or the newest of all",
		Example: "  levada artifacts list latest\n  levada artifacts list -o json",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "without RUN: most artifacts to list")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 1 {
			return fault.Invalidf("--limit %d: want a number from 1 on", limit)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			runID, most := "", limit
			if len(args) == 1 {
				r, err := findRun(ctx, s, args[0])
				if err != nil {
					return err
				}
				runID, most = r.ID, 0
			}
			list, err := s.Artifacts(ctx, runID, most)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(map[string]any{"artifacts": append([]run.Artifact{}, list...)})
			}
			return a.printArtifacts(list)
		})
	}
	return cmd
}

func (a *app) printArtifacts(list []run.Artifact) error {
	table := console.NewTable("ARTIFACT", "RUN", "NAME", "TYPE", "SIZE", "FILES")
	table.Flexible = 2
	for _, x := range list {
		size, files := console.Bytes(x.Size), ""
		if x.Digest == "" {
			size = "elsewhere"
		}
		if x.Files > 0 {
			files = fmt.Sprint(x.Files)
		}
		table.Add(x.ID, console.ShortID(x.RunID), console.Clean(x.Name), console.Clean(x.SchemaTitle), size, files)
	}
	return a.printTable(table)
}

func (a *app) artifactsGetCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "get ID | RUN TASK NAME",
		Short: "Fetch an artifact: a file, or a whole directory",
		Long: "Fetch an artifact, named by its id or by run, task and output. It is written to the path of -O, by default the\n" +
			"artifact's name in the current directory. What exists is never overwritten. With -O - the bytes go to standard output,\n" +
			"those of a directory as a tar stream.",
		Example: "  levada artifacts get latest train model -O model.joblib\n  levada artifacts get latest evaluate report -O - | less",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 3 {
				return fault.Invalidf("want the ID of an artifact, or RUN TASK NAME")
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&path, "path", "O", "", "`PATH` to write to, or - for standard output")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out.json() && path == "-" {
			return fault.Invalidf("-o json and -O - both want standard output; choose one")
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			artifact, err := findArtifact(ctx, s, args)
			if err != nil {
				return err
			}
			return a.fetch(ctx, s, artifact, path, out.json())
		})
	}
	return cmd
}

func findArtifact(ctx context.Context, s *session, args []string) (run.Artifact, error) {
	if len(args) == 1 {
		return s.Artifact(ctx, args[0])
	}
	r, err := findRun(ctx, s, args[0])
	if err != nil {
		return run.Artifact{}, err
	}
	t, err := s.Task(ctx, r.ID, args[1])
	if err != nil {
		return run.Artifact{}, err
	}
	list := t.Outputs.Artifacts[args[2]]
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		names := make([]string, 0, len(t.Outputs.Artifacts))
		for name := range t.Outputs.Artifacts {
			names = append(names, name)
		}
		return run.Artifact{}, fault.NotFoundf("task %s has no artifact %q; %s", t.Path, args[2], listNames("it has", names))
	}
	ids := make([]string, len(list))
	for i, x := range list {
		ids[i] = x.ID
	}
	return run.Artifact{}, fault.Invalidf("output %q of task %s holds %d artifacts; give the id of one: %s", args[2], t.Path, len(list), strings.Join(ids, ", "))
}

func (a *app) fetch(ctx context.Context, s *session, artifact run.Artifact, path string, asJSON bool) error {
	content, isTar, err := s.Content(ctx, artifact.ID)
	if err != nil {
		return err
	}
	defer content.Close()
	if path == "-" {
		_, err := io.Copy(a.deps.Stdout, content)
		return err
	}
	if path == "" {
		path = defaultFileName(artifact)
	}
	if isTar && strings.HasPrefix(artifact.Digest, "dir-") {
		err = extract(path, content)
	} else {
		err = writeNew(path, content)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(map[string]any{"artifact": artifact, "path": path})
	}
	_, err = fmt.Fprintf(a.deps.Stdout, "%s (%s)\n", path, console.Bytes(artifact.Size))
	return err
}

// defaultFileName is a plain name in the current directory, whatever the step called its output.
func defaultFileName(x run.Artifact) string {
	name := filepath.Base(filepath.Clean("/" + x.Name))
	if x.CustomPath != "" {
		name = filepath.Base(filepath.Clean("/" + x.CustomPath))
	}
	if !filepath.IsLocal(name) || strings.HasPrefix(name, ".") || console.Clean(name) != name {
		return x.ID
	}
	return name
}
