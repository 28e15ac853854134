package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"levada/internal/cli/console"
	"levada/internal/core/table"
	"levada/internal/core/table/profile"
	"levada/internal/dataset"
)

func (a *app) dataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Profile and compare tables in files, without a server",
		Long: "Profile and compare tables in files, without a server: Parquet, Arrow, CSV, JSON lines, or a directory of files of one of them,\n" +
			"which is one table. A directory of images is a table with a row for each image. In a bucket (s3://BUCKET/KEY) they are brought\n" +
			"to this machine first. profile and diff also take the ids of artifacts of a server.",
		Example: "  levada data profile flights.parquet\n  levada data diff january.csv february.csv --key flight,day\n  levada data drift january.parquet february.parquet",
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.dataProfileCommand(), a.dataDiffCommand(), a.dataCheckCommand(), a.dataSuggestCommand(), a.dataSchemaCommand(), a.dataDriftCommand(), a.dataGateCommand(), a.dataEstimateCommand(), a.dataLeakageCommand())
	return cmd
}

// openTable opens the table at a path, and calls look with it.
func (a *app) openTable(path string, look func(src table.Source) error) error {
	src, closer, err := a.deps.OpenTable(path)
	if err != nil {
		return err
	}
	defer closer.Close()
	return look(src)
}

// dataOutput adds -o and its short form --json.
func dataOutput(cmd *cobra.Command) func() bool {
	out := addOutput(cmd)
	short := cmd.Flags().Bool("json", false, "the same as -o json")
	return func() bool { return *short || out.json() }
}

func (a *app) dataProfileCommand() *cobra.Command {
	var columns []string
	cmd := &cobra.Command{
		Use:   "profile PATH | ARTIFACT",
		Short: "Say what the columns of a table are like",
		Long: "Say what the columns of a table are like: types, values that are missing, different values, extremes, mean and standard\n" +
			"deviation, the shape of their distribution and the most frequent values. With -o json also quantiles, skewness, kurtosis,\n" +
			"histograms and lengths. A figure with ≈ is an estimate: there were too many different values to count them. Of an artifact\n" +
			"the server has made the profile.\n\n" +
			"Of a directory of images: dark, light, blurry, odd, gray and duplicate ones, files that are damaged, sizes and channels.",
		Example: "  levada data profile flights.parquet\n  levada data profile events/ --columns user,at -o json\n  levada data profile photos/\n" +
			"  levada data profile events/ --cache ~/.cache/events     # a new file costs only itself",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringSliceVar(&columns, "columns", nil, "only these columns, by `NAME,NAME`")
	cache := cmd.Flags().String("cache", "", "keep in `DIR` what was found in each file of a directory; files that come again are not read")
	report := cmd.Flags().String("report", "", "write the profile as JSON to `FILE`")
	asJSON := dataOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		show := func(p dataset.Profile, all int) error {
			if err := writeJSON(*report, p); err != nil {
				return err
			}
			if asJSON() {
				return a.printJSON(p)
			}
			return a.printProfile(args[0], all, p)
		}
		if isArtifact(args[0]) {
			p, err := a.artifactProfile(cmd, args[0], columns)
			if err != nil {
				return err
			}
			return show(p, len(p.Columns))
		}
		if *cache != "" {
			p, all, err := a.keptProfile(cmd.Context(), args[0], *cache, columns)
			if err != nil {
				return err
			}
			return show(p, all)
		}
		return a.openTable(args[0], func(src table.Source) error {
			p, err := readProfile(cmd.Context(), src, columns)
			if err != nil {
				return err
			}
			return show(p, len(src.Columns()))
		})
	}
	return cmd
}

// Keeper keeps what profiles need of files.
type Keeper interface {
	Keep(name string, p *profile.Part) error
	Close() error
}

// keptProfile makes the profile of a table of which files may be known from before. all is how many columns it has.
func (a *app) keptProfile(ctx context.Context, path, dir string, names []string) (p dataset.Profile, all int, err error) {
	src, k, err := a.deps.OpenKept(ctx, path, dir)
	if err != nil {
		return p, 0, err
	}
	all = len(src.Columns())
	if k == nil {
		p, err = readProfile(ctx, src, names)
		return p, all, err
	}
	if p, err = dataset.ReadKept(ctx, src, k.Keep); err == nil {
		err = k.Close()
	}
	if err != nil || len(names) == 0 {
		return p, all, err
	}
	p, err = p.Only(names)
	return p, all, err
}

func readProfile(ctx context.Context, src table.Source, names []string) (dataset.Profile, error) {
	chosen, err := dataset.Choose(src, names)
	if err != nil {
		return dataset.Profile{}, err
	}
	return dataset.Read(ctx, src, chosen)
}

// printProfile prints the profile of a table that has so many columns.
func (a *app) printProfile(path string, all int, p dataset.Profile) error {
	head := fmt.Sprintf("%s: %s, %s", console.Clean(path), counted(p.Rows, "row"), plural(all, "column"))
	if len(p.Columns) < all {
		head += fmt.Sprintf(", %d of them shown", len(p.Columns))
	}
	if p.Parts != nil {
		if head += ", " + counted(p.Parts.Files, "file"); p.Parts.Read < p.Parts.Files {
			head += fmt.Sprintf(", of which %d had to be read", p.Parts.Read)
		}
	}
	fmt.Fprintf(a.deps.Stdout, "%s\n\n", head)
	if p.Images != nil {
		if err := a.printImages(p.Images); err != nil {
			return err
		}
	}
	t := console.NewTable("COLUMN", "TYPE", "NULLS", "DISTINCT", "MIN", "MEDIAN", "MAX", "MEAN", "SD", "VALUES")
	t.Flexible = 9
	for _, c := range p.Columns {
		if p.Images != nil && c.Type == "boolean" {
			continue // the issues are listed above
		}
		t.Add(short(c.Name, 30), c.Type, percent(c.Nulls, c.Count), distinctOf(c), valueOf(c, c.Min), medianOf(c), valueOf(c, c.Max),
			number(c.Mean), number(c.SD), valuesOf(c))
	}
	if err := a.printTable(t); err != nil {
		return err
	}
	a.printTexts(p.Columns)
	return printFindings(a.deps.Stdout, p.Findings)
}

// mostFindings is how many findings are printed.
const mostFindings = 30

func printFindings(w io.Writer, findings []table.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("\nNote:\n")
	for i, f := range findings {
		if i == mostFindings {
			fmt.Fprintf(&b, "  … and %d more; see -o json\n", len(findings)-i)
			break
		}
		b.WriteString("  ")
		if f.Column != "" {
			fmt.Fprintf(&b, "%s: ", short(f.Column, 30))
		}
		fmt.Fprintln(&b, console.Clean(f.Sentence()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// counted is a number of things with its digits in groups.
func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}

func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

func short(s string, cells int) string { return console.Cut(console.Clean(s), cells) }

func percent(n, of int64) string {
	if n == 0 || of == 0 {
		return ""
	}
	share := 100 * float64(n) / float64(of)
	switch {
	case n == of:
		return "100 %"
	case share < 0.1:
		return "<0.1 %"
	case share > 99.9:
		return ">99.9 %"
	}
	return strconv.FormatFloat(share, 'f', 1, 64) + " %"
}

func distinctOf(c profile.Column) string {
	if c.Estimated {
		return "≈" + grouped(c.Distinct)
	}
	return grouped(c.Distinct)
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 5, 64)
}

func valueOf(c profile.Column, shown string) string {
	if f, err := strconv.ParseFloat(shown, 64); err == nil && c.Type == "number" {
		return strconv.FormatFloat(f, 'g', 6, 64)
	}
	return short(shown, 20)
}

func medianOf(c profile.Column) string {
	for _, q := range c.Quantiles {
		if q.Share == 0.5 {
			sign := ""
			if c.RankError > 0 {
				sign = "≈"
			}
			return sign + valueOf(c, q.Shown)
		}
	}
	return ""
}

// valuesOf shows the distribution of numbers, and the most frequent of other values.
func valuesOf(c profile.Column) string {
	if c.Histogram != nil && c.Distinct > 2 {
		return bars(c.Histogram.Counts)
	}
	var parts []string
	for i, f := range c.Top {
		if i == 3 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s", short(f.Value, 20), percent(f.Count, c.Count-c.Nulls)))
	}
	return strings.Join(parts, ", ")
}

// bars draws counts, a bar for each.
func bars(counts []int64) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	most := int64(1)
	for _, n := range counts {
		most = max(most, n)
	}
	out := make([]rune, len(counts))
	for i, n := range counts {
		out[i] = ' '
		if n > 0 {
			out[i] = levels[int(math.Min(float64(len(levels)-1), float64(n)/float64(most)*float64(len(levels))))]
		}
	}
	return string(out)
}
