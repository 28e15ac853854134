package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

func (a *app) rolloutExportCommand() *cobra.Command {
	var file, id string
	cmd := &cobra.Command{
		Use:   "export ENDPOINT -o FILE",
		Short: "Save the last rollout of an endpoint with all its evidence, as a page or as JSON",
		Long: "Save a rollout with its evidence. A file that ends in .html becomes a page with the plots, every decision and the plan; it needs nothing else\n" +
			"and runs no scripts. One that ends in .json has all windows of what was observed as well: \"levada rollout verify\" decides again from them.",
		Example: "  levada rollout export flights -o evidence.html\n  levada rollout export flights --id 3f1c29d0a4b57e68 -o evidence.json",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "`FILE` that ends in .html or .json")
	cmd.Flags().StringVar(&id, "id", "", "`ID` of an earlier rollout of the endpoint")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind := strings.ToLower(filepath.Ext(file))
		if kind != ".html" && kind != ".json" {
			return fault.Invalidf("name a file that ends in .html or .json: -o evidence.html")
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			if id == "" {
				last, err := s.Rollout(ctx, args[0])
				if err != nil {
					return err
				}
				id = last.ID
			}
			list, err := s.RolloutEvents(ctx, id, true)
			if err != nil {
				return err
			}
			if list.Endpoint != args[0] {
				return fault.NotFoundf("rollout %s is of endpoint %q, not of %q", id, list.Endpoint, args[0])
			}
			report, err := rollout.NewReport(list.Record, list.Events)
			if err != nil {
				return err
			}
			return a.saveReport(report, file, kind)
		})
	}
	return cmd
}

// outcomeFiles are what is done at the end of a rollout that is waited for.
type outcomeFiles struct {
	wait                   bool
	promoted, report, page string
}

func (o outcomeFiles) wanted() bool {
	return o.wait || o.promoted != "" || o.report != "" || o.page != ""
}

// rolloutPoll is how often a rollout that is waited for is asked for.
const rolloutPoll = time.Second

// awaitRollout waits for the end of a rollout, says on standard error what is decided, and writes the files.
func (a *app) awaitRollout(ctx context.Context, s *session, r client.Rollout, ends outcomeFiles, asJSON bool) error {
	tick := time.NewTicker(rolloutPoll)
	defer tick.Stop()
	for told := 0; ; {
		list, err := s.RolloutEvents(ctx, r.ID, false)
		if err != nil {
			return err
		}
		for _, e := range list.Events[min(told, len(list.Events)):] {
			fmt.Fprintln(a.deps.Stderr, console.Clean(e.Words()))
		}
		told = len(list.Events)
		if list.Settled {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	all, err := s.RolloutEvents(ctx, r.ID, true)
	if err != nil {
		return err
	}
	if err := ends.write(all); err != nil {
		return err
	}
	state, err := rollout.Replay(all.Events)
	if err != nil {
		return err
	}
	if err := a.printRollout(client.Rollout{Record: all.Record, State: state.View()}, nil, asJSON); err != nil {
		return err
	}
	if all.Outcome != rollout.OutcomePromoted && ends.promoted == "" {
		return exitStatus(ExitFailed)
	}
	return nil
}

// write writes the files that are named.
func (o outcomeFiles) write(all client.RolloutEvents) error {
	if o.promoted != "" {
		if err := writeReport(o.promoted, []byte(strconv.FormatBool(all.Outcome == rollout.OutcomePromoted))); err != nil {
			return err
		}
	}
	if o.report == "" && o.page == "" {
		return nil
	}
	report, err := rollout.NewReport(all.Record, all.Events)
	if err != nil {
		return err
	}
	if err := writeJSON(o.report, report); err != nil || o.page == "" {
		return err
	}
	var page bytes.Buffer
	if err := rollout.WritePage(&page, report); err != nil {
		return err
	}
	return writeReport(o.page, page.Bytes())
}

func (a *app) saveReport(r rollout.Report, file, kind string) error {
	var text bytes.Buffer
	var err error
	if kind == ".html" {
		err = rollout.WritePage(&text, r)
	} else {
		err = json.NewEncoder(&text).Encode(r)
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("save the rollout: %w", err)
	}
	_, err = fmt.Fprintf(a.deps.Stdout, "%s: rollout %s of %s, %d events. %s\n", file, r.ID, console.Clean(r.Endpoint), len(r.Events), cleanLines(r.Verdict()))
	return err
}

func (a *app) rolloutVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Decide again what a rollout has decided, from its windows; no server is asked",
		Long: "Decide again what a rollout has decided. FILE is the JSON of \"levada rollout export\". What was observed is given to its plan window by window, and\n" +
			"what follows is compared with every decision and its evidence. What people asked for is counted and not decided again.\n\n" +
			"The exit status is 0 where all decisions follow, and 1 where not, also where that cannot be told because they were made by earlier rules.",
		Example: "  levada rollout verify evidence.json",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		info, err := os.Stat(args[0])
		if err != nil {
			return fault.Invalidf("read the rollout: %w", err)
		}
		if info.Size() > maxPastBytes {
			return fault.TooLargef("%s has more than %d bytes", args[0], maxPastBytes)
		}
		text, err := os.ReadFile(args[0])
		if err != nil {
			return fault.Invalidf("read the rollout: %w", err)
		}
		var r rollout.Report
		if err := json.Unmarshal(text, &r); err != nil {
			return fault.Invalidf("%s is not the JSON of a rollout, which \"levada rollout export ENDPOINT -o FILE.json\" writes: %w", args[0], err)
		}
		checked, err := rollout.Verify(r.Events)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if out.json() {
			err = a.printJSON(checked)
		} else {
			err = a.printChecked(checked)
		}
		if err == nil && (len(checked.Differences) > 0 || checked.Unlike != "") {
			return exitStatus(ExitFailed)
		}
		return err
	}
	return cmd
}

func (a *app) printChecked(c rollout.Checked) error {
	text := fmt.Sprintf("%d decisions were made again from %d windows", c.Decisions, c.Windows)
	if c.ByHand > 0 {
		text += fmt.Sprintf("; %d do not follow from what was observed, but from a person, a monitor, or a version that could not serve", c.ByHand)
	}
	said := "Confirmed"
	if len(c.Differences) > 0 {
		said = "Not confirmed"
	}
	if c.Unlike != "" {
		said = "Cannot be told"
		text += fmt.Sprintf(". It was decided by version %d of the rules, and this program has version %d, by which something else follows: use a release of then", c.Rules, rollout.Rules)
	}
	if _, err := fmt.Fprintf(a.deps.Stdout, "%s: %s.\n", said, text); err != nil {
		return err
	}
	for _, asked := range c.Asked {
		fmt.Fprintf(a.deps.Stdout, "  %s\n", console.Clean(asked))
	}
	if c.Unlike != "" {
		fmt.Fprintf(a.deps.Stdout, "  the first difference: %s\n", console.Clean(c.Unlike))
	}
	for _, d := range c.Differences {
		fmt.Fprintf(a.deps.Stdout, "  %s\n", console.Clean(d))
	}
	return nil
}
