package requestlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/reqlog"
)

// journalKey says which requests a journal has: those that a version of an endpoint got in an hour.
type journalKey struct {
	endpoint, version string
	hour              time.Time
}

const (
	hourForm   = "2006-01-02T15"
	journalEnd = ".journal"
	fileEnd    = ".parquet"
)

// journal is a file of records, a JSON object a line.
type journal struct {
	name string // without its ending: ENDPOINT~VERSION~HOUR~NUMBER
	file *os.File
	// size is what is written and whole.
	size atomic.Int64
	key  journalKey
	// columns and rows are those of the records: a file has a cell for each row of each column, also where few requests have the column.
	columns map[string]bool
	rows    int
}

// mostCells bounds the cells of a file, each of which takes 40 bytes while it is written.
const mostCells = 4 << 20

// takes counts in the first of the records that the journal has room for, and says how many these are. An empty journal takes one.
func (j *journal) takes(records []reqlog.Record) int {
	for i := range records {
		r := &records[i]
		columns := len(reqlog.Fixed) + len(j.columns)
		for k := range r.Columns {
			if !j.columns[r.Columns[k].Name] {
				columns++
			}
		}
		if j.rows > 0 && (j.rows+r.Rows)*columns > mostCells {
			return i
		}
		for k := range r.Columns {
			j.columns[r.Columns[k].Name] = true
		}
		j.rows += r.Rows
	}
	return len(records)
}

// journal returns the open journal of a key.
func (l *Log) journal(key journalKey) (*journal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.journals[key]; j != nil {
		return j, nil
	}
	name := strings.Join([]string{key.endpoint, key.version, key.hour.Format(hourForm), strconv.FormatInt(l.o.Now().UnixNano(), 36)}, "~")
	f, err := os.OpenFile(filepath.Join(l.o.Dir, "open", name+journalEnd), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Unavailablef("%w", err)
	}
	j := &journal{name: name, file: f, key: key, columns: map[string]bool{}}
	l.journals[key] = j
	return j, nil
}

// write appends records and syncs the file. What could not be written whole is taken back.
func (j *journal) write(records []reqlog.Record) error {
	var b bytes.Buffer
	for i := range records {
		text, err := json.Marshal(&records[i])
		if err != nil {
			return err
		}
		b.Write(append(text, '\n'))
	}
	at := j.size.Load()
	_, err := j.file.WriteAt(b.Bytes(), at)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(err, j.file.Truncate(at))
	}
	j.size.Store(at + int64(b.Len()))
	return nil
}

// each reads the records of a journal until its end, or a line that was not written whole.
func each(r io.Reader, f func(reqlog.Record) error) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var record reqlog.Record
		if json.Unmarshal(text, &record) != nil {
			return nil //nolint:nilerr // it was not written whole
		}
		if err := f(record); err != nil {
			return err
		}
	}
}

// parseName reads the name of a journal.
func parseName(name string) (journalKey, bool) {
	parts := strings.Split(name, "~")
	if len(parts) != 4 || endpoint.CheckName(parts[0]) != nil {
		return journalKey{}, false
	}
	hour, err := time.Parse(hourForm, parts[2])
	if endpoint.CheckName(parts[1]) != nil || err != nil { // a number, or the name of a remote
		return journalKey{}, false
	}
	return journalKey{parts[0], parts[1], hour}, true
}

// recover makes files of the journals that an earlier server has left.
func (l *Log) recover(ctx context.Context) error {
	dir := filepath.Join(l.o.Dir, "open")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		name, isJournal := strings.CutSuffix(e.Name(), journalEnd)
		key, known := parseName(name)
		if isJournal && !known {
			l.o.Logger.Warn("a journal of logged requests has a name that is not known; it is left where it is", "file", path)
			continue
		}
		if !isJournal {
			if err := ignoreMissing(os.Remove(path)); err != nil { // a Parquet file that was not finished
				return err
			}
			continue
		}
		if err := l.recoverJournal(ctx, path, name, key); err != nil {
			l.o.Logger.Warn("a journal of logged requests could not be made a Parquet file; it is kept, and the next start tries again", "file", path, "error", err)
		}
	}
	return nil
}

func (l *Log) recoverJournal(ctx context.Context, path, name string, key journalKey) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var records []reqlog.Record
	err = each(f, func(r reqlog.Record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := l.index.predicted(ctx, key.endpoint, predictions(records)); err != nil {
		return err
	}
	j := &journal{name: name, file: f, key: key}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	j.size.Store(info.Size())
	_, err = l.publish(j)
	return err
}

// seal makes a Parquet file of the journal of a key.
func (l *Log) seal(key journalKey) error {
	l.mu.Lock()
	j := l.journals[key]
	l.mu.Unlock()
	if j == nil {
		return nil
	}
	s, err := l.publish(j)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		return err
	}
	delete(l.journals, key)
	if s != nil {
		l.sealed = append(l.sealed, *s)
	}
	return j.file.Close()
}

// sealPassed makes files of journals whose hour has passed.
func (l *Log) sealPassed(now time.Time) {
	l.sealWhere(func(key journalKey) bool { return now.After(key.hour.Add(time.Hour + settle)) })
}

func (l *Log) sealAll() { l.sealWhere(func(journalKey) bool { return true }) }

func (l *Log) sealWhere(wanted func(journalKey) bool) {
	l.mu.Lock()
	var keys []journalKey
	for key := range l.journals {
		if wanted(key) {
			keys = append(keys, key)
		}
	}
	l.mu.Unlock()
	for _, key := range keys {
		if err := l.seal(key); err != nil {
			l.o.Logger.Warn("logged requests could not be made a Parquet file; they are kept and it is tried again", "endpoint", key.endpoint, "error", err)
		}
	}
}
