package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/declare"
	"levada/internal/core/fault"
)

// planFlags are those of plan and apply.
type planFlags struct {
	path, set string
	adopt     bool
	// detailed asks for the status 2 when there is something to change.
	detailed bool
	out      *output
}

const declareHelp = "The files *.yaml and *.yml of DIR declare pipelines, recurring runs, triggers, monitors, endpoints and inference\n" +
	"graphs; docs/automation.md describes them. A set of files owns\n" +
	"what it declares: what it owns and does not declare any more is deleted, and what it does not own is left alone."

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:     "plan -f DIR",
		Short:   "Show what apply would change",
		Long:    "Show what apply would change, and change nothing.\n\n" + declareHelp,
		Example: "  levada plan -f flows\n  levada plan -f flows --detailed-exitcode -o json",
		Args:    cobra.NoArgs,
	}
	f.register(a, cmd)
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 0 when there is nothing to change, 2 when there is, 1 after an error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		err := a.plan(cmd, f)
		var silent exitStatus
		if err != nil && f.detailed && !errors.As(err, &silent) {
			fmt.Fprintf(a.deps.Stderr, "levada: %s\n", cleanLines(err.Error()))
			return exitStatus(ExitFailed)
		}
		return err
	}
	return cmd
}

func (f *planFlags) register(a *app, cmd *cobra.Command) {
	a.addServer(cmd)
	cmd.Flags().StringVarP(&f.path, "file", "f", "", "`DIR` or file that declares")
	cmd.Flags().StringVar(&f.set, "set", "", "`NAME` of the set that owns what is declared (default: the name of the directory or file)")
	cmd.Flags().BoolVar(&f.adopt, "adopt", false, "take over what is there already and belongs to no set")
	_ = cmd.MarkFlagRequired("file")
	f.out = addOutput(cmd)
}

func (a *app) applyCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:     "apply -f DIR",
		Short:   "Make the server have what files declare",
		Long:    "Show what has to change so that the server has what files declare, and change it. Applying the same again changes nothing.\n\n" + declareHelp,
		Example: "  levada apply -f flows",
		Args:    cobra.NoArgs,
	}
	f.register(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d, err := a.declaration(cmd, f)
		if err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			return a.apply(ctx, s, d, f.out)
		})
	}
	return cmd
}

// apply shows what has to change, and changes it.
func (a *app) apply(ctx context.Context, s *session, d client.Declaration, out *output) error {
	planned, err := s.Plan(ctx, d)
	if err != nil {
		return err
	}
	if !out.json() {
		a.printPlan(planned)
	}
	if !planned.Changed {
		if out.json() {
			return a.printJSON(planned)
		}
		return nil
	}
	applied, err := s.Apply(ctx, d)
	if err != nil {
		return err
	}
	if out.json() {
		return a.printJSON(applied)
	}
	_, err = fmt.Fprintln(a.deps.Stdout, "Applied.")
	return err
}

func (a *app) plan(cmd *cobra.Command, f planFlags) error {
	d, err := a.declaration(cmd, f)
	if err != nil {
		return err
	}
	return a.look(cmd, func(ctx context.Context, s *session) error {
		planned, err := s.Plan(ctx, d)
		if err != nil {
			return err
		}
		if f.out.json() {
			err = a.printJSON(planned)
		} else {
			a.printPlan(planned)
		}
		if err == nil && f.detailed && planned.Changed {
			return exitStatus(2)
		}
		return err
	})
}

func (a *app) declaration(cmd *cobra.Command, f planFlags) (client.Declaration, error) {
	d := client.Declaration{Set: f.set, Adopt: f.adopt}
	cfg, err := a.load(cmd)
	if err != nil {
		return d, err
	}
	if d.Set == "" {
		if d.Set, err = setOf(f.path); err != nil {
			return d, err
		}
	}
	if d.Resources, err = a.declarations(cmd.Context(), f.path, cfg.Config); err != nil {
		return d, err
	}
	if d.Resources == nil {
		d.Resources = []declare.Resource{}
	}
	return d, nil
}

// printWarnings says what a resource names that is not there, also where nothing is changed.
func (a *app) printWarnings(c declare.Change) {
	where := ""
	if c.At != "" {
		where = c.At + ": "
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(a.deps.Stdout, console.Clean(fmt.Sprintf("! %s%s %q: %s", where, c.Kind, c.Name, w)))
	}
}

// printPlan shows changes as a diff.
func (a *app) printPlan(p client.Planned) {
	w := a.deps.Stdout
	counts := map[declare.Action]int{}
	for _, c := range p.Changes {
		counts[c.Action]++
		sign := map[declare.Action]string{declare.Create: "+", declare.Update: "~", declare.Delete: "-"}[c.Action]
		if sign == "" {
			a.printWarnings(c)
			continue
		}
		line := fmt.Sprintf("%s %s %s", sign, c.Kind, c.Name)
		if c.At != "" {
			line += "  (" + c.At + ")"
		}
		if c.Note != "" {
			line += ": " + c.Note
		}
		fmt.Fprintln(w, console.Clean(line))
		for _, f := range c.Fields {
			fmt.Fprintf(w, "    %s: %s -> %s\n", console.Clean(f.Field), fieldValue(f.Before), fieldValue(f.After))
		}
		a.printWarnings(c)
	}
	if !p.Changed {
		fmt.Fprintf(w, "Nothing to change: %d resources are as declared.\n", counts[declare.None])
		return
	}
	fmt.Fprintf(w, "%d to create, %d to update, %d to delete, %d as declared.\n", counts[declare.Create], counts[declare.Update], counts[declare.Delete],
		counts[declare.None])
}

// fieldValue is a value of a field in a few words.
func fieldValue(v any) string {
	if v == nil {
		return "(none)"
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "?"
	}
	return console.Clean(fault.Shorten(strings.TrimSpace(b.String()), 200))
}
