package drift

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/table"
)

// Season is a period that comes again. Comparing a July with a whole year finds that it is summer; comparing it with
// other Julys finds what changed.
type Season string

// The seasons. WeekdayHour is the hour of the week.
const (
	NoSeason    Season = ""
	Month       Season = "month"
	Weekday     Season = "weekday"
	Hour        Season = "hour"
	WeekdayHour Season = "weekday-hour"
)

// Seasons are all of them.
func Seasons() []Season { return []Season{Month, Weekday, Hour, WeekdayHour} }

// period is the number of the period that a time (UTC) is in.
func (s Season) period(t time.Time) int {
	switch s {
	case Month:
		return int(t.Month())
	case Weekday:
		return int(t.Weekday())
	case Hour:
		return t.Hour()
	}
	return int(t.Weekday())*24 + t.Hour()
}

// name is a period in words.
func (s Season) name(period int) string {
	switch s {
	case Month:
		return time.Month(period).String()
	case Weekday:
		return time.Weekday(period).String()
	case Hour:
		return fmt.Sprintf("%02d:00", period)
	}
	return fmt.Sprintf("%s %02d:00", time.Weekday(period/24), period%24)
}

const secondsOfDay = 24 * 60 * 60

// sameSeason chooses the rows of the reference whose time is in a period that the current table has too.
func (c *comparison) sameSeason(ctx context.Context, ref, cur map[string]int) error {
	if c.o.Season == NoSeason {
		return nil
	}
	if !slices.Contains(Seasons(), c.o.Season) {
		return fault.Invalidf("there is no season %q; there are month, weekday, hour and weekday-hour", fault.Shorten(string(c.o.Season), 40))
	}
	from, a := ref[c.o.TimeColumn]
	to, b := cur[c.o.TimeColumn]
	if !a || !b {
		return fault.Invalidf("to compare the same %s, name a column of times that both tables have; %q is none", c.o.Season, fault.Shorten(c.o.TimeColumn, 100))
	}
	var seen [7*24 + 1]bool
	err := c.times(ctx, c.current, to, func(_ int64, period int) { seen[period] = true })
	if err != nil {
		return err
	}
	kept := 0
	c.keep = rowSet{}
	err = c.times(ctx, c.reference, from, func(row int64, period int) {
		if !seen[period] {
			return
		}
		for int64(len(c.keep)) <= row>>6 {
			c.keep = append(c.keep, 0)
		}
		c.keep[row>>6] |= 1 << (row & 63)
	})
	if err != nil {
		return err
	}
	for _, word := range c.keep {
		kept += bits.OnesCount64(word)
	}
	var names []string
	for p, there := range seen {
		if there {
			names = append(names, c.o.Season.name(p))
		}
	}
	if kept == 0 {
		return fault.Invalidf("the reference has no row of the same %s as the current table (%s)", c.o.Season, fault.Shorten(strings.Join(names, ", "), 200))
	}
	c.season = strconv.Itoa(kept) + " rows of the reference of the same " + string(c.o.Season) + ": " + strings.Join(names, ", ")
	return nil
}

// times calls do for each row that has a time.
func (c *comparison) times(ctx context.Context, source table.Source, column int, do func(row int64, period int)) error {
	found := false
	err := scan(ctx, source, []int{column}, func(b *table.Batch) {
		v := &b.Columns[0]
		for i := range v.Size {
			if t, ok := TimeOf(v.Cell(i)); ok {
				found = true
				do(b.Row+int64(i), c.o.Season.period(t))
			}
		}
	})
	if err == nil && !found {
		err = fault.Invalidf("column %q has no times in one of the tables; they are needed to compare the same %s", fault.Shorten(c.o.TimeColumn, 100), c.o.Season)
	}
	return err
}

// TimeOf is a cell as a time: a time, a date, or a text in a form of RFC 3339.
func TimeOf(c table.Cell) (time.Time, bool) {
	switch c.Kind {
	case table.Time:
		return time.UnixMicro(c.Int).UTC(), true
	case table.Date:
		return time.Unix(c.Int*secondsOfDay, 0).UTC(), true
	case table.Text:
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly} {
			if t, err := time.Parse(layout, c.Text); err == nil {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}
