package tracking

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

const (
	// maxParts and maxPart bound an upload in parts as S3 does, which is what clients are made for.
	maxParts = 10_000
	maxPart  = 5 << 30
	// PartTime is how long the URLs of parts can be used.
	PartTime = 24 * time.Hour
	// maxSigned is the longest that a URL can give a right for: a week, as with S3.
	maxSigned = 604_800 * time.Second
)

// ErrSignature is what a URL is refused with that gives no right.
var ErrSignature = errors.New("the signature of this URL is wrong, or its time is over: ask the server for a new one")

// Signer returns when a right ends, in seconds since 1970, and the signature to prove it. The right is to do one thing, such as to put
// one part of one upload; no two things may have the same text.
type Signer func(right string, last time.Duration) (expires int64, signature string)

// Signer reads the key once, for as many signatures as are needed.
func (s *Service) Signer(ctx context.Context) (Signer, error) {
	key, err := s.deps.Store.URLKey(ctx)
	return func(right string, last time.Duration) (int64, string) {
		expires := s.now().Add(last).Unix()
		return expires, signature(key, right, expires)
	}, err
}

func signature(key []byte, right string, expires int64) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%d\n%s", expires, right)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckSigned returns ErrSignature unless a signature proves a right that has not ended.
func (s *Service) CheckSigned(ctx context.Context, right, expires, given string) error {
	at, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return ErrSignature
	}
	key, err := s.deps.Store.URLKey(ctx)
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(signature(key, right, at)), []byte(given)) || s.now().Unix() >= at {
		return ErrSignature
	}
	return nil
}

// SignedTime checks how long a URL is to give a right.
func SignedTime(seconds int64) (time.Duration, error) {
	if seconds < 1 || seconds > int64(maxSigned/time.Second) {
		return 0, fault.Invalidf("expiration must be between 1 and %d seconds (got %d).", int64(maxSigned/time.Second), seconds)
	}
	return time.Duration(seconds) * time.Second, nil
}

// uploadPath is where an upload of a client's file goes. Only the name of the local file matters.
func uploadPath(rawDir, local string) (string, error) {
	dir, err := CleanPath(rawDir)
	if err != nil {
		return "", err
	}
	name := path.Base(strings.ReplaceAll(local, `\`, "/"))
	if name == "." || name == "/" || name == ".." {
		return "", fault.Invalidf("Invalid path")
	}
	p, err := CleanPath(path.Join(dir, name))
	if err == nil && p == "" {
		err = fault.Invalidf("Invalid path")
	}
	return p, err
}

// CreateUpload begins an upload of a file in parts.
func (s *Service) CreateUpload(ctx context.Context, rawDir, local string, parts int64) (track.Upload, error) {
	p, err := uploadPath(rawDir, local)
	if err != nil {
		return track.Upload{}, err
	}
	if parts < 1 || parts > maxParts {
		return track.Upload{}, fault.Invalidf("num_parts must be between 1 and %d (got %d): choose a larger MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", maxParts, parts)
	}
	now := s.now()
	u := track.Upload{ID: s.newHexID(), Path: p, Parts: parts, CreatedAt: now}
	return u, s.deps.Store.CreateUpload(ctx, u, now.Add(-track.UploadTime))
}

// openUpload returns an upload that is not too old.
func (s *Service) openUpload(ctx context.Context, id string) (track.Upload, error) {
	u, err := s.deps.Store.Upload(ctx, id)
	if err == nil && s.now().Sub(u.CreatedAt) > track.UploadTime {
		err = fault.NotFoundf("over")
	}
	if fault.KindOf(err) == fault.NotFound {
		err = fault.NotFoundf("There is no upload '%s': it was never begun, was aborted, or is older than %v", id, track.UploadTime)
	}
	return u, err
}

// PutPart stores a part of an upload and returns its digest. A part may come again while the upload is open.
func (s *Service) PutPart(ctx context.Context, id string, number int64, r io.Reader) (string, error) {
	u, err := s.openUpload(ctx, id)
	if err != nil {
		return "", err
	}
	if u.Digest != "" {
		return "", fault.Conflictf("the upload '%s' is complete", id)
	}
	if number < 1 || number > u.Parts {
		return "", fault.Invalidf("the upload '%s' has the parts 1 to %d, not %d", id, u.Parts, number)
	}
	limit := s.deps.MaxPartBytes
	if limit == 0 {
		limit = maxPart
	}
	bounded := &boundedReader{r: r, left: limit, limit: limit}
	info, err := s.deps.Blobs.PutReader(ctx, bounded)
	if err != nil {
		return "", err
	}
	err = s.deps.Store.PutPart(ctx, id, track.Part{Number: number, Digest: info.Digest, Size: info.Size})
	if fault.KindOf(err) == fault.NotFound {
		err = fault.Conflictf("the upload '%s' has ended meanwhile", id)
	}
	return info.Digest, err
}

// boundedReader fails, instead of ending, where there is more than is allowed.
type boundedReader struct {
	r           io.Reader
	left, limit int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return n, fault.TooLargef("a part has more than the %d bytes that are allowed", b.limit)
	}
	return n, err
}

// CompleteUpload makes a file of the parts of an upload. parts are what the client has sent: all of them, in order, each with the
// digest that it was answered with. Doing it again is no error.
func (s *Service) CompleteUpload(ctx context.Context, rawDir, local, id string, parts []track.Part) error {
	u, err := s.ownUpload(ctx, rawDir, local, id)
	if err != nil || u.Digest != "" {
		return err
	}
	have, err := s.deps.Store.Parts(ctx, id)
	if err != nil {
		return err
	}
	stored := map[int64]track.Part{}
	for _, p := range have {
		stored[p.Number] = p
	}
	for i, p := range parts {
		if p.Number != int64(i)+1 {
			return fault.Invalidf("the upload cannot be completed: its parts must be listed once each, in the order 1 to %d; number %d in the list is part %d", u.Parts, i+1, p.Number)
		}
		switch is, there := stored[p.Number]; {
		case !there:
			return fault.Invalidf("the upload cannot be completed: part %d was never stored", p.Number)
		case is.Digest != p.Digest:
			return fault.Invalidf("the upload cannot be completed: part %d is not the one that is named: its ETag is another", p.Number)
		}
	}
	if int64(len(parts)) != u.Parts {
		return fault.Invalidf("the upload cannot be completed: it has %d parts and %d are named", u.Parts, len(parts))
	}
	joined := &joinedParts{parts: have, opener: func(digest string) (io.ReadSeekCloser, error) { return s.deps.Blobs.Open(ctx, digest, "") }}
	info, err := s.deps.Blobs.PutReader(ctx, joined)
	if err := errors.Join(err, joined.close()); err != nil {
		return err
	}
	return s.deps.Store.CompleteUpload(ctx, id, u.Path, info.Digest, info.Size, s.now())
}

// ownUpload returns an upload whose file is the one that is named with it.
func (s *Service) ownUpload(ctx context.Context, rawDir, local, id string) (track.Upload, error) {
	p, err := uploadPath(rawDir, local)
	if err != nil {
		return track.Upload{}, err
	}
	u, err := s.openUpload(ctx, id)
	if err == nil && u.Path != p {
		err = fault.Invalidf("the upload '%s' is of another file", id)
	}
	return u, err
}

// AbortUpload forgets an upload; its parts are removed with other content that nobody needs.
func (s *Service) AbortUpload(ctx context.Context, rawDir, local, id string) error {
	u, err := s.ownUpload(ctx, rawDir, local, id)
	if err != nil {
		return err
	}
	if u.Digest != "" {
		return fault.Conflictf("the upload '%s' is complete", id)
	}
	return s.deps.Store.AbortUpload(ctx, id)
}

// joinedParts reads one part after the other.
type joinedParts struct {
	opener func(digest string) (io.ReadSeekCloser, error)
	parts  []track.Part
	open   io.ReadSeekCloser
}

func (j *joinedParts) Read(p []byte) (int, error) {
	for {
		if j.open == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			var err error
			if j.open, err = j.opener(j.parts[0].Digest); err != nil {
				return 0, err
			}
			j.parts = j.parts[1:]
		}
		n, err := j.open.Read(p)
		if errors.Is(err, io.EOF) {
			err = j.close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (j *joinedParts) close() error {
	if j.open == nil {
		return nil
	}
	err := j.open.Close()
	j.open = nil
	return err
}
