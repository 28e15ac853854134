package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/event"
	"levada/internal/core/fault"
)

func (a *app) triggersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "triggers",
		Short: "List, fire, test, pause, resume and delete triggers",
		Long: "List, fire, test, pause, resume and delete triggers. They are declared in files (levada apply) or made over the API, and followed by\n" +
			"\"levada up\". TRIGGER is its id, the unique beginning of one, or its name.",
		Example: "  levada triggers list\n  levada triggers firings on-data",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.triggersListCommand(), a.firingsCommand(), a.fireCommand(), a.triggerTestCommand(),
		a.triggerCommand("pause", "Stop a trigger from starting runs", func(ctx context.Context, s *session, t event.Trigger) (string, error) {
			_, err := s.SwitchTrigger(ctx, t.ID, true)
			return t.Name + " is paused", err
		}),
		a.triggerCommand("resume", "Let a trigger start runs again", func(ctx context.Context, s *session, t event.Trigger) (string, error) {
			_, err := s.SwitchTrigger(ctx, t.ID, false)
			return t.Name + " is enabled", err
		}),
		a.triggerCommand("delete", "Delete a trigger; the runs that it started stay", func(ctx context.Context, s *session, t event.Trigger) (string, error) {
			return fmt.Sprintf("Deleted %s (%s)", t.Name, t.ID), s.DeleteTrigger(ctx, t.ID)
		}))
	return cmd
}

func (a *app) triggersListCommand() *cobra.Command {
	var text string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List triggers, newest first",
		Example: "  levada triggers list --search data -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&text, "search", "", "only triggers whose name contains `TEXT`")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := s.Triggers(ctx, text, "", 200)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			table := console.NewTable("TRIGGER", "NAME", "ON", "STATE", "TROUBLE")
			for _, t := range list.Triggers {
				state := "enabled"
				if t.Paused {
					state = "paused"
				}
				table.Add(console.ShortID(t.ID), console.Clean(t.Name), string(t.On.Kind()), state, console.Clean(trouble(t.Failure, t.Warnings)))
			}
			return a.printTable(table)
		})
	}
	return cmd
}

// trouble is what is wrong with a trigger or a recurring run, and what it names that is not there.
func trouble(failure string, warnings []string) string {
	if failure != "" {
		warnings = append([]string{failure}, warnings...)
	}
	return strings.Join(warnings, "; ")
}

func (a *app) firingsCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "firings TRIGGER",
		Short:   "List what a trigger made of events, newest first",
		Example: "  levada triggers firings on-data",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "most firings to list, up to 200")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 1 || limit > 200 {
			return fault.Invalidf("--limit %d: want a number from 1 to 200", limit)
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			t, err := findTrigger(ctx, s, args[0])
			if err != nil {
				return err
			}
			list, err := s.Firings(ctx, t.ID, limit)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(list)
			}
			detail, err := s.Trigger(ctx, t.ID)
			if err != nil {
				return err
			}
			if waits := waiting(detail.Outlook); waits != "" {
				fmt.Fprintf(a.deps.Stdout, "%s\n\n", waits)
			}
			table := console.NewTable("TIME (UTC)", "STATE", "RUN", "EVENT", "REASON")
			for _, f := range list.Firings {
				table.Add(f.CreatedAt.UTC().Format(time.DateTime), string(f.State), console.ShortID(f.RunID), console.Clean(fault.Shorten(f.Event.ID, 60)),
					console.Clean(f.Reason))
			}
			return a.printTable(table)
		})
	}
	return cmd
}

// waiting says what the firings of a trigger wait for, and until when; "" when none waits.
func waiting(o event.Outlook) string {
	if o.Waiting == 0 {
		return ""
	}
	words := map[event.Hold]string{event.HoldQuiet: "until nothing more happens", event.HoldMore: "for more", event.HoldRate: "because of max_runs",
		event.HoldRuns: "for a run to end", event.HoldPaused: "until the trigger is resumed", event.HoldRetry: "to be tried again", "": "to be dealt with"}
	line := fmt.Sprintf("%s waiting %s", plural(o.Waiting, "event"), words[o.Hold])
	if o.NextAt != nil {
		line += ", next " + o.NextAt.UTC().Format(time.DateTime)
	}
	return line
}

// eventData reads what -e gives of an event.
func eventData(text string) (data map[string]any, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return nil, fault.Invalidf("--event: want a JSON object such as {\"path\": \"/data/a.csv\"}: %v", err)
	}
	return data, nil
}

func (a *app) fireCommand() *cobra.Command {
	var text, key string
	cmd := &cobra.Command{
		Use:     "fire TRIGGER",
		Short:   "Fire a trigger by hand, also one that is paused",
		Example: "  levada triggers fire on-data -e '{\"path\": \"/data/a.csv\"}'",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&text, "event", "e", "", "what expressions see of the event, as a `JSON` object")
	cmd.Flags().StringVar(&key, "key", "", "a firing with the same `KEY` is done once, however often it is asked for")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := eventData(text)
		if err != nil {
			return err
		}
		return a.with(cmd, func(ctx context.Context, s *session) error {
			t, err := findTrigger(ctx, s, args[0])
			if err != nil {
				return err
			}
			f, err := s.FireTrigger(ctx, t.ID, key, data)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(f)
			}
			if f.State == event.Failed || f.State == event.Ignored {
				return fmt.Errorf("no run was started: %s", f.Reason)
			}
			if t.Notify != nil {
				_, err = fmt.Fprintf(a.deps.Stdout, "%s: the message is %s\n", console.Clean(t.Name), strings.ToLower(string(f.State)))
				return err
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s: run %s is %s\n", console.Clean(t.Name), f.RunID, strings.ToLower(string(f.State)))
			return err
		})
	}
	return cmd
}

func (a *app) triggerTestCommand() *cobra.Command {
	var text string
	cmd := &cobra.Command{
		Use:     "test TRIGGER",
		Short:   "Say what a trigger would make of an event; nothing is started",
		Example: "  levada triggers test on-data -e '{\"path\": \"/data/a.csv\", \"size\": 100}'",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&text, "event", "e", "", "what expressions see of the event, as a `JSON` object")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := eventData(text)
		if err != nil {
			return err
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			t, err := findTrigger(ctx, s, args[0])
			if err != nil {
				return err
			}
			v, err := s.TestTrigger(ctx, t.ID, data)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(v)
			}
			if !v.Wanted {
				_, err = fmt.Fprintf(a.deps.Stdout, "No run: %s\n", console.Clean(v.Reason))
				return err
			}
			if v.Text != "" {
				_, err = fmt.Fprintf(a.deps.Stdout, "A message: %s\n", cleanLines(v.Text))
				return err
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "A run of %s with %s\n", console.Clean(t.Name), fieldValue(v.Parameters))
			return err
		})
	}
	return cmd
}

// triggerCommand is a command that does one thing to a trigger and says so.
func (a *app) triggerCommand(verb, short string, do func(context.Context, *session, event.Trigger) (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " TRIGGER",
		Short:   short,
		Example: "  levada triggers " + verb + " on-data",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd, func(ctx context.Context, s *session) error {
				t, err := findTrigger(ctx, s, args[0])
				if err != nil {
					return err
				}
				said, err := do(ctx, s, t)
				if err == nil {
					_, err = fmt.Fprintln(a.deps.Stdout, console.Clean(said))
				}
				return err
			})
		},
	}
}

// findTrigger takes an id, the unique beginning of one, or a name.
func findTrigger(ctx context.Context, s *session, name string) (event.Trigger, error) {
	list, err := s.Triggers(ctx, name, "", 200)
	if err != nil {
		return event.Trigger{}, err
	}
	for _, t := range list.Triggers {
		if t.Name == name {
			return t.Trigger, nil
		}
	}
	if prefix := strings.ToLower(name); len(prefix) >= 4 && len(prefix) <= 36 && strings.Trim(prefix, "0123456789abcdef-") == "" {
		list, err := s.Triggers(ctx, "", prefix, 2)
		if err != nil {
			return event.Trigger{}, err
		}
		if len(list.Triggers) == 1 {
			return list.Triggers[0].Trigger, nil
		}
	}
	return event.Trigger{}, fault.NotFoundf("there is no trigger %q; \"levada triggers list\" shows them", name)
}
