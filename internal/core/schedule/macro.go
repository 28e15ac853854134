package schedule

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Moment is what the macros in a run's parameters stand for.
type Moment struct {
	RunID string
	Now   time.Time
	// Scheduled is nil, and Index 0, for a run that no schedule has started: their macros stay as they are. Its location is the time
	// zone of the schedule.
	Scheduled *time.Time
	Index     int64
}

// macro matches [[…]] and {{$.…}}; what it does not know stays as it is.
var macro = regexp.MustCompile(`\[\[(RunUUID|Index|(?:CurrentTime|ScheduledTime)(?:\.[^\]]*)?)\]\]|\{\{\$\.(currentTime|scheduledTime)\.strftime\('([^']*)'\)\}\}`)

// compact is the form of a time without a format of its own.
const compact = "20060102150405"

// Expand fills in the macros in all strings of a run's parameters, as KFP does: [[RunUUID]], [[Index]], [[CurrentTime]],
// [[ScheduledTime]], the last two also with a layout of Go ([[ScheduledTime.2006-01-02]]) or of strftime
// ({{$.scheduledTime.strftime('%Y-%m-%d')}}). Times are in the zone of Scheduled, else UTC. The given map is not changed.
func (m Moment) Expand(parameters map[string]any) map[string]any {
	if parameters == nil {
		return nil
	}
	out, _ := m.expand(parameters).(map[string]any)
	return out
}

func (m Moment) expand(v any) any {
	switch v := v.(type) {
	case string:
		return m.text(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = m.expand(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = m.expand(item)
		}
		return out
	}
	return v
}

func (m Moment) text(s string) string {
	if !strings.Contains(s, "[[") && !strings.Contains(s, "{{$.") {
		return s
	}
	return macro.ReplaceAllStringFunc(s, func(found string) string {
		part := macro.FindStringSubmatch(found)
		if part[2] != "" {
			if t := m.time(part[2] == "currentTime"); t != nil {
				return Strftime(*t, part[3])
			}
			return found
		}
		word, layout, formatted := strings.Cut(part[1], ".")
		switch {
		case word == "RunUUID":
			return m.RunID
		case word == "Index":
			if m.Index > 0 {
				return strconv.FormatInt(m.Index, 10)
			}
			return found
		case !formatted:
			layout = compact
		}
		if t := m.time(word == "CurrentTime"); t != nil {
			return t.Format(layout)
		}
		return found
	})
}

func (m Moment) time(current bool) *time.Time {
	t := m.Scheduled
	if current {
		t = &m.Now
	}
	if t == nil {
		return nil
	}
	zone := time.UTC
	if m.Scheduled != nil {
		zone = m.Scheduled.Location()
	}
	in := t.In(zone)
	return &in
}

// directives are those of strftime as layouts of Go; %s and %j have none and %% is a percent sign.
var directives = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'b': "Jan", 'h': "Jan",
	'B': "January", 'a': "Mon", 'A': "Monday", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06",
	'j': "002",
}

// Strftime formats a time as C's function does; directives that it does not know stay as they are.
func Strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, known := directives[format[i]]
		switch {
		case known:
			b.WriteString(t.Format(layout))
		case format[i] == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(format[i-1 : i+1])
		}
	}
	return b.String()
}
