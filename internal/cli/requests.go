package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/cachekey"
	"levada/internal/core/fault"
	"levada/internal/core/quality"
	"levada/internal/core/reqlog"
)

// requestsCommand is "levada requests".
func (a *app) requestsCommand() *cobra.Command {
	var since, until, format, file string
	var q client.RequestQuery
	var with, only, model bool
	cmd := &cobra.Command{
		Use: "requests ENDPOINT", Short: "Show or export logged requests of an endpoint, with what became of them",
		Long: "Show or export the requests and answers that an endpoint logs (levada deploy --log-sample). --with-truth adds what became of them,\n" +
			"where \"levada truth\" has said so.",
		Example: "  levada requests flights --since 1h\n  levada requests flights --with-truth -o parquet --out joined.parquet\n  levada requests flights -o jsonl | head\n" +
			"  levada requests flights --since 1d --role served --model-columns -o parquet --out today.parquet && levada data drift train.parquet today.parquet",
		Args: cobra.ExactArgs(1),
	}
	a.addServer(cmd)
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "", "only requests since a `TIME`, or of the last 90s, 2h or 7d")
	flags.StringVar(&until, "until", "", "only requests before a `TIME`, or older than 90s, 2h or 7d")
	flags.StringVar(&q.Version, "version", "", "only those of a `VERSION`")
	flags.StringVar(&q.Role, "role", "", "only `ROLE`: served or shadow")
	flags.StringVar(&q.Status, "status", "", "only those that ended with `STATUS`: ok, rejected, failed, timeout or shed")
	flags.BoolVar(&with, "with-truth", false, "add what became of requests, where it is known")
	flags.BoolVar(&only, "only-truth", false, "only requests of which it is known")
	flags.BoolVar(&model, "model-columns", false, "only inputs and outputs, under the names that the model has for them")
	flags.IntVar(&q.Limit, "limit", 0, "most `ROWS`, the newest; 0 is all, and 20 of a table")
	flags.StringVarP(&format, "output", "o", "table", "`FORMAT`: table, jsonl or parquet")
	flags.StringVar(&file, "out", "", "`FILE` to write, whole or not at all; standard output by default")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if q.Since, err = momentOf(since, "since"); err != nil {
			return err
		}
		if q.Until, err = momentOf(until, "until"); err != nil {
			return err
		}
		if with {
			q.Truth = "join"
		}
		if model {
			q.Columns = "model"
		}
		if only {
			q.Truth = "only"
		}
		return a.look(cmd, func(ctx context.Context, s *session) error { return a.requests(ctx, s, args[0], q, format, file) })
	}
	return cmd
}

// momentOf reads a time, or how long ago it was.
func momentOf(text, flag string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return at, nil
		}
	}
	age, err := cachekey.ParseAge(text)
	if err != nil {
		return time.Time{}, fault.Invalidf("--%s %q: want a time such as 2026-11-30T12:00:00Z, or an age such as 90s, 2h or 7d", flag, text)
	}
	return time.Now().Add(-age), nil
}

func (a *app) requests(ctx context.Context, s *session, name string, q client.RequestQuery, format, file string) error {
	switch format {
	case "table":
		if file != "" || q.Columns != "" {
			return fault.Invalidf("--out and --model-columns are for -o jsonl and -o parquet")
		}
		return a.requestTable(ctx, s, name, q)
	case "jsonl", "parquet":
	default:
		return fault.Invalidf("-o %q: want table, jsonl or parquet", format)
	}
	q.Format = format
	if _, _, terminal := console.Size(a.deps.Stdout); file == "" && format == "parquet" && terminal {
		return fault.Invalidf("-o parquet writes bytes that are no text: add --out FILE, or send the output to a file")
	}
	stream, err := s.Requests(ctx, name, q)
	if err != nil {
		return err
	}
	defer stream.Close()
	if file == "" {
		_, err = io.Copy(a.deps.Stdout, stream)
		return err
	}
	return writeWhole(file, stream)
}

// writeWhole writes a file under another name first.
func writeWhole(file string, content io.Reader) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return fault.Invalidf("write %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := io.Copy(f, content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// requestTable shows the newest requests.
func (a *app) requestTable(ctx context.Context, s *session, name string, q client.RequestQuery) error {
	about, err := s.RequestLog(ctx, name)
	if err != nil {
		return err
	}
	if q.Format = "jsonl"; q.Limit == 0 {
		q.Limit = 20
	}
	stream, err := s.Requests(ctx, name, q)
	if err != nil {
		return err
	}
	defer stream.Close()
	head := []string{"TIME", "REQUEST", "VERSION", "ROLE", "STATUS", "LATENCY", "INPUT", "OUTPUT"}
	if q.Truth != "" {
		head = append(head, "ACTUAL")
	}
	rows := console.NewTable(head...)
	rows.Flexible = 6
	var shown [][]string
	var times []time.Time
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		at, cells, err := requestRow(line, q.Truth != "")
		if err != nil {
			return err
		}
		place, _ := slices.BinarySearchFunc(times, at, func(a, b time.Time) int { return cmp.Or(a.Compare(b), -1) })
		times, shown = slices.Insert(times, place, at), slices.Insert(shown, place, cells)
	}
	for _, cells := range shown {
		rows.Add(cells...)
	}
	if err := a.printTable(rows); err != nil {
		return err
	}
	fmt.Fprintf(a.deps.Stdout, "\n%d files, %.1f MiB in %s; since the server started %d requests were logged, %d lost, %d failed\n",
		about.Files, float64(about.Bytes)/(1<<20), console.Clean(about.Directory), about.Logged, about.Lost, about.Failed)
	for _, l := range about.LeftOut {
		fmt.Fprintf(a.deps.Stdout, "%s is left out: %s\n", console.Clean(l.Column), console.Clean(l.Reason))
	}
	return nil
}

// requestRow is a line of the export as cells of the table, with its time.
func requestRow(line []byte, truth bool) (time.Time, []string, error) {
	var known struct {
		ID      string    `json:"request_id"`
		Row     int       `json:"row"`
		Time    time.Time `json:"time"`
		Version string    `json:"version"`
		Role    string    `json:"role"`
		Status  string    `json:"status"`
		Latency float64   `json:"latency_ms"`
		Actual  any       `json:"actual"`
	}
	if err := json.Unmarshal(line, &known); err != nil {
		return known.Time, nil, err
	}
	var inputs, outputs []string
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return known.Time, nil, err
	}
	for d.More() { // in the order of the columns
		key, err := d.Token()
		if err != nil {
			return known.Time, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return known.Time, nil, err
		}
		name := fmt.Sprint(key)
		if input, ok := strings.CutPrefix(name, reqlog.InputPrefix); ok {
			inputs = append(inputs, console.Clean(input+"="+string(value)))
		} else if output, ok := strings.CutPrefix(name, reqlog.OutputPrefix); ok {
			outputs = append(outputs, console.Clean(output+"="+string(value)))
		}
	}
	id := console.Clean(known.ID)
	if known.Row > 0 {
		id += fmt.Sprintf("[%d]", known.Row)
	}
	out := []string{known.Time.Local().Format(time.DateTime), id, known.Version, known.Role, known.Status, milliseconds(known.Latency),
		strings.Join(inputs, " "), strings.Join(outputs, " ")}
	if truth {
		actual := ""
		if known.Actual != nil {
			actual = console.Clean(fmt.Sprint(known.Actual))
		}
		out = append(out, actual)
	}
	return known.Time, out, nil
}

// truthTypes are media types by the ending of a file.
var truthTypes = map[string]string{".jsonl": "application/jsonl", ".ndjson": "application/jsonl", ".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}

// truthCommand is "levada truth".
func (a *app) truthCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "truth ENDPOINT FILE", Short: "Say what became of requests, by their ids",
		Long: "Hand in what became of requests: a file of JSON lines, CSV or Parquet with the columns request_id and actual, and where they are wanted row\n" +
			"(of a request with several, from 0) and time. FILE - is standard input. The same may be handed in again; a later value replaces the one before.",
		Example: "  levada truth flights labels.csv\n  echo '{\"request_id\": \"a1\", \"actual\": 1}' | levada truth flights -",
		Args:    cobra.ExactArgs(2),
	}
	a.addServer(cmd)
	cmd.Flags().StringVar(&format, "format", "", "`FORMAT` of the file: jsonl, csv or parquet; by its name, and jsonl for standard input")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ending := strings.ToLower(filepath.Ext(args[1]))
		if format != "" {
			ending = "." + format
		} else if args[1] == "-" {
			ending = ".jsonl"
		}
		media := truthTypes[ending]
		if media == "" {
			return fault.Invalidf("%s: its name does not say what it is: add --format jsonl, csv or parquet", args[1])
		}
		var content io.Reader = cmd.InOrStdin()
		if args[1] != "-" {
			f, err := os.Open(args[1])
			if err != nil {
				return fault.Invalidf("read the truth: %w", err)
			}
			defer f.Close()
			content = f
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			taken, err := s.PutTruth(ctx, args[0], media, content)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(taken)
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%d values: %d new, %d replaced, %d unchanged; %d are of logged requests\n",
				taken.Taken, taken.New, taken.Replaced, taken.Unchanged, taken.Matched)
			return err
		})
	}
	return cmd
}

// qualityCommand is "levada quality".
func (a *app) qualityCommand() *cobra.Command {
	var since, until string
	var window time.Duration
	cmd := &cobra.Command{
		Use: "quality ENDPOINT", Short: "Show how good the predictions of an endpoint were, as far as the truth is known",
		Example: "  levada quality flights --since 7d --window 24h",
		Args:    cobra.ExactArgs(1),
	}
	a.addServer(cmd)
	cmd.Flags().StringVar(&since, "since", "", "only requests since a `TIME`, or of the last 90s, 2h or 7d (default 30d)")
	cmd.Flags().StringVar(&until, "until", "", "only requests before a `TIME`, or older than 90s, 2h or 7d")
	cmd.Flags().DurationVar(&window, "window", 0, "one measurement for each `DURATION`; one for all by default")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := momentOf(since, "since")
		if err != nil {
			return err
		}
		to, err := momentOf(until, "until")
		if err != nil {
			return err
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			r, err := s.Quality(ctx, args[0], from, to, window)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(r)
			}
			return a.printQuality(r)
		})
	}
	return cmd
}

func (a *app) printQuality(r client.Quality) error {
	if len(r.Windows) == 0 {
		fmt.Fprintln(a.deps.Stdout, "No logged prediction of this time has a truth.")
	} else {
		rows := console.NewTable("FROM", "VERSION", "ROLE", "N", "QUALITY")
		rows.Flexible = 4
		for _, w := range r.Windows {
			var parts []string
			for _, m := range w.Metrics {
				parts = append(parts, metricText(m))
			}
			rows.Add(w.From.Local().Format(time.DateTime), w.Version, string(w.Role), fmt.Sprint(w.N), strings.Join(parts, ", "))
		}
		if err := a.printTable(rows); err != nil {
			return err
		}
		fmt.Fprintf(a.deps.Stdout, "\nIntervals of %.0f %%. Taken for: %s.\n", r.Confidence*100, r.Task)
	}
	for _, c := range r.Coverage {
		if c.Requests == 0 {
			continue
		}
		age := "older"
		if c.Age != "" {
			age = "up to " + strings.TrimSuffix(strings.TrimSuffix(c.Age, "0s"), "0m")
		}
		fmt.Fprintf(a.deps.Stdout, "Requests %s: %d of %d have a truth\n", age, c.WithTruth, c.Requests)
	}
	_, err := fmt.Fprintf(a.deps.Stdout, "%d truths are kept; the requests of %d of them are not logged\n", r.Truths, r.Waiting)
	return err
}

func metricText(m quality.Metric) string {
	if m.Low == nil || m.High == nil {
		return fmt.Sprintf("%s %.4g", m.Name, m.Value)
	}
	return fmt.Sprintf("%s %.4g (%.4g to %.4g)", m.Name, m.Value, *m.Low, *m.High)
}
