package kfp

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"

	"levada/internal/core/fault"
)

// Bounds on what an archive may make the server do. Names inside archives are only compared, never used as paths.
const (
	maxZipEntries = 1000
	// A tar file is read through to find the specification; what is unpacked on the way may be this many times the
	// limit of the specification.
	maxUnpackedFactor = 4
)

// unpack returns the specification in an uploaded package: YAML or JSON by the name's extension, a zip or gzipped tar
// archive by its first bytes.
func unpack(fileName string, data []byte, limit int64) ([]byte, error) {
	name := strings.ToLower(fileName)
	switch {
	case strings.HasSuffix(name, ".json") || isYAML(name):
		return data, nil
	case bytes.HasPrefix(data, []byte("PK")):
		return unzip(data, limit)
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return untar(data, limit)
	}
	return nil, fault.Invalidf("the package %q is neither YAML, JSON, zip nor tar.gz: upload what the KFP compiler wrote", shorten(fileName))
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// choice collects the candidates of an archive: pipeline.yaml at the top, else the only YAML file.
type choice struct {
	exact  bool
	others int
}

// better reports whether the named file should replace what was chosen so far.
func (c *choice) better(name string) bool {
	name = path.Clean(name)
	switch {
	case c.exact || !isYAML(strings.ToLower(name)):
		return false
	case name == "pipeline.yaml":
		c.exact = true
		return true
	}
	c.others++
	return c.others == 1
}

func (c *choice) check(kind string) error {
	switch {
	case c.exact || c.others == 1:
		return nil
	case c.others == 0:
		return fault.Invalidf("the %s package holds no YAML file: want pipeline.yaml", kind)
	}
	return fault.Invalidf("the %s package holds %d YAML files and none is pipeline.yaml: which one is meant?", kind, c.others)
}

func unzip(data []byte, limit int64) ([]byte, error) {
	// Each entry of the directory at the end of the file begins with these bytes; counting them bounds what
	// zip.NewReader will build.
	if bytes.Count(data, []byte("PK\x01\x02")) > maxZipEntries {
		return nil, fault.Invalidf("the zip package holds more than %d files: upload the specification alone", maxZipEntries)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fault.Invalidf("the package begins like a zip file but cannot be read as one: %w", err)
	}
	var c choice
	var chosen *zip.File
	for _, f := range archive.File {
		if !f.FileInfo().IsDir() && c.better(f.Name) {
			chosen = f
		}
	}
	if err := c.check("zip"); err != nil {
		return nil, err
	}
	src, err := chosen.Open()
	if err != nil {
		return nil, damaged("zip", err)
	}
	defer src.Close() // only read from
	return inflate(src, "zip", limit)
}

func untar(data []byte, limit int64) ([]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, damaged("tar.gz", err)
	}
	bounded := &io.LimitedReader{R: plain, N: maxUnpackedFactor * limit}
	archive := tar.NewReader(bounded)
	var c choice
	var spec []byte
	for {
		head, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF) && bounded.N > 0:
			return spec, c.check("tar.gz")
		case bounded.N <= 0:
			return nil, fault.TooLargef("the tar.gz package unpacks to more than %d bytes: upload the specification alone", maxUnpackedFactor*limit)
		case err != nil:
			return nil, damaged("tar.gz", err)
		}
		if head.Typeflag != tar.TypeReg || !c.better(head.Name) {
			continue
		}
		if spec, err = inflate(archive, "tar.gz", limit); err != nil {
			return nil, err
		}
		if c.exact {
			return spec, nil
		}
	}
}

// inflate reads a packed file that may be at most limit bytes long, whatever its header says.
func inflate(src io.Reader, kind string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return nil, damaged(kind, err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge("the specification inside the "+kind+" package", limit)
	}
	return data, nil
}

func damaged(kind string, err error) error {
	return fault.Invalidf("the %s package is damaged: %w", kind, err)
}
