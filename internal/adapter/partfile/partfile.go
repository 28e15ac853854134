// Package partfile keeps in a directory what profiles need of files, by the digest of their content, so that a table that grows by a file is
// not read again.
//
// It may be emptied at any time: what is not kept is read. It knows files and their sums, and neither artifacts nor formats. Start reading at
// Open, then at Keeper.Known.
package partfile

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"levada/internal/core/event"
	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/core/table/profile"
)

// Options say where things are kept, and how much.
type Options struct {
	Dir string
	// Most bounds what is kept, in bytes; 0 is no bound. What was not used for the longest time goes first, and what was used since Open stays.
	Most int64
	// Digest reads a file whole, for files whose digest nobody has given. Their digests are kept, too, by path, size and time.
	Digest func(ctx context.Context, path string) (event.FileState, error)
	Now    func() time.Time
}

// Keeper is used for one profile, by one goroutine.
type Keeper struct {
	o    Options
	ctx  context.Context //nolint:containedctx // of the one profile that it is for
	size int64
	// there are the files that hold parts; the oldest comes first. used says which belong to this profile.
	there []held
	used  map[string]bool
	// asked says of each name what Known was asked.
	asked  map[string]asked
	seen   map[string]seen
	digest bool // seen has changed
}

type held struct {
	name string
	size int64
	at   time.Time
}

type asked struct {
	name string // of the file that holds the part, empty where it cannot be kept
	path string
	is   event.FileState
}

// seen is a file by its path as it was when it was read whole.
type seen struct {
	Size     int64  `json:"size"`
	Modified int64  `json:"modified_ns"`
	At       int64  `json:"at_ns"`
	Digest   string `json:"digest"`
}

// index is the name of the file with what was seen; suffix ends the names of parts.
const (
	index  = "files.json"
	suffix = ".json.gz"
)

// settled is how old a file is at least whose size and time tell that it is the same: clocks of file systems are coarse.
const settled = int64(2 * time.Second)

// folder is where parts with the figures of this version are.
func folder(dir string) string { return filepath.Join(dir, fmt.Sprintf("parts-%d", profile.Figures)) }

// Open returns a Keeper for one profile. The directory is made when there is something to keep.
func Open(ctx context.Context, o Options) (*Keeper, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &Keeper{o: o, ctx: ctx, used: map[string]bool{}, asked: map[string]asked{}, seen: map[string]seen{}}
	if err := os.MkdirAll(folder(o.Dir), 0o700); err != nil {
		return nil, fault.Unavailablef("keep profiles in %q: %w", o.Dir, err)
	}
	list, err := parts(o.Dir)
	if err != nil {
		return nil, fault.Unavailablef("keep profiles in %q: %w", o.Dir, err)
	}
	for _, h := range list {
		k.there, k.size = append(k.there, h), k.size+h.size
	}
	slices.SortFunc(k.there, func(a, b held) int { return a.at.Compare(b.at) })
	if text, err := os.ReadFile(filepath.Join(o.Dir, index)); err == nil {
		_ = json.Unmarshal(text, &k.seen) // a damaged one is as none: the files are read
	}
	return k, nil
}

func parts(dir string) ([]held, error) {
	entries, err := os.ReadDir(folder(dir))
	if err != nil {
		return nil, err
	}
	var out []held
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			out = append(out, held{e.Name(), info.Size(), info.ModTime()})
		}
	}
	return out, nil
}

// Known returns what is kept of the content of a file, nil where nothing is.
func (k *Keeper) Known(f observe.File) *profile.Part {
	a := k.ask(f)
	k.asked[f.Name] = a
	if a.name == "" {
		return nil
	}
	k.used[a.name] = true
	path := filepath.Join(folder(k.o.Dir), a.name)
	p, err := read(path)
	if err != nil {
		return nil
	}
	now := k.o.Now()
	_ = os.Chtimes(path, now, now) // it says what was used last
	return p
}

// ask finds out the digest of a file.
func (k *Keeper) ask(f observe.File) asked {
	a := asked{path: f.Path, is: event.FileState{Digest: f.Digest}}
	if f.Digest == "" {
		if a.is = k.look(f.Path); a.is.Digest == "" {
			return a
		}
	}
	sum := strings.TrimPrefix(a.is.Digest, "sha256:")
	if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return a
	}
	a.name = sum + ending(f.Name) + suffix
	return a
}

// ending is the part of a name that says of what format a file may be.
func ending(name string) string {
	name = strings.ToLower(filepath.Base(name))
	zip := ""
	if strings.HasSuffix(name, ".gz") {
		name, zip = strings.TrimSuffix(name, ".gz"), ".gz"
	}
	end := filepath.Ext(name)
	if len(end) > 10 || strings.Trim(end, ".abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		end = ""
	}
	return end + zip
}

// look finds out the digest of a file that nobody has given: from its size and time, or by reading it.
func (k *Keeper) look(path string) event.FileState {
	name, err := filepath.Abs(path)
	if err != nil || k.o.Digest == nil {
		return event.FileState{}
	}
	info, err := os.Stat(name)
	if err != nil {
		return event.FileState{}
	}
	size, modified := info.Size(), info.ModTime().UnixNano()
	if was, ok := k.seen[name]; ok && was.Size == size && was.Modified == modified && was.At-was.Modified > settled {
		return event.FileState{Path: name, Size: size, ModifiedNS: modified, Digest: was.Digest}
	}
	at := k.o.Now().UnixNano()
	is, err := k.o.Digest(k.ctx, name)
	if err != nil || is.Size != size || is.ModifiedNS != modified {
		return event.FileState{} // it is being written, or gone: who reads it says so
	}
	k.seen[name], k.digest = seen{is.Size, is.ModifiedNS, at, is.Digest}, true
	return is
}

// Keep keeps what was found in the file that Known was asked about by a name, unless the file has changed since or there is no room.
func (k *Keeper) Keep(name string, p *profile.Part) error {
	a := k.asked[name]
	if a.name == "" {
		return nil
	}
	if a.is.Path != "" { // a file that may change
		if info, err := os.Stat(a.is.Path); err != nil || info.Size() != a.is.Size || info.ModTime().UnixNano() != a.is.ModifiedNS {
			return nil //nolint:nilerr // a file that is gone has changed
		}
	}
	path := filepath.Join(folder(k.o.Dir), a.name)
	temp, size, err := write(path, p)
	if err != nil {
		return fault.Unavailablef("keep a profile in %q: %w", k.o.Dir, err)
	}
	if !k.room(size) {
		return os.Remove(temp)
	}
	if err := os.Rename(temp, path); err != nil {
		return fault.Unavailablef("keep a profile in %q: %w", k.o.Dir, err)
	}
	k.size += size
	return nil
}

// room makes room for so many bytes, and reports whether there is.
func (k *Keeper) room(size int64) bool {
	for k.o.Most > 0 && k.size+size > k.o.Most {
		at := slices.IndexFunc(k.there, func(h held) bool { return !k.used[h.name] })
		if at < 0 {
			return false
		}
		if err := os.Remove(filepath.Join(folder(k.o.Dir), k.there[at].name)); err != nil {
			return false
		}
		k.size -= k.there[at].size
		k.there = slices.Delete(k.there, at, at+1)
	}
	return true
}

// Close notes which files were read whole.
func (k *Keeper) Close() error {
	if !k.digest {
		return nil
	}
	for path := range k.seen {
		if _, err := os.Lstat(path); err != nil {
			delete(k.seen, path)
		}
	}
	text, err := json.Marshal(k.seen)
	if err != nil {
		return err
	}
	temp := filepath.Join(k.o.Dir, fmt.Sprintf(".%s-%d", index, os.Getpid()))
	if err = os.WriteFile(temp, text, 0o600); err == nil {
		err = os.Rename(temp, filepath.Join(k.o.Dir, index))
	}
	if err != nil {
		return fault.Unavailablef("keep profiles in %q: %w", k.o.Dir, err)
	}
	return nil
}

func read(path string) (*profile.Part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var p profile.Part
	if err := json.NewDecoder(z).Decode(&p); err != nil {
		return nil, err
	}
	if !p.Valid() {
		return nil, fs.ErrInvalid
	}
	return &p, nil
}

// write writes a part beside where it is to be.
func write(path string, p *profile.Part) (temp string, size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return "", 0, err
	}
	temp = f.Name()
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return temp, 0, err
	}
	if err = json.NewEncoder(z).Encode(p); err != nil {
		return temp, 0, err
	}
	if err = z.Close(); err != nil {
		return temp, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return temp, 0, err
	}
	return temp, info.Size(), nil
}

// Prune removes what belongs to content that is not there any more, and what older versions have kept. has is asked for digests.
func Prune(dir string, has func(digest string) bool) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); e.IsDir() && path != folder(dir) {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	list, err := parts(dir)
	if err != nil {
		return nil //nolint:nilerr // nothing was kept with these figures
	}
	for _, h := range list {
		sum, _, _ := strings.Cut(h.name, ".")
		if has("sha256:" + sum) {
			continue
		}
		if err := os.Remove(filepath.Join(folder(dir), h.name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
