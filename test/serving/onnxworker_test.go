package serving

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"levada/internal/adapter/modelwire"
	"levada/internal/adapter/onnxworker"
	"levada/internal/core/infer"
	"levada/test/levadatest"
)

// Models of ONNX, made by its helper: y = Identity(x) with the outputs y and x, FLOAT [rows, 256]; and o = Identity(a), o2 = Identity(b), STRING
// [rows].
const (
	throughModel = "CAg6UQoQCgF4EgF5IghJZGVudGl0eRIBZ1oSCgF4Eg0KCwgBEgcKAAoDCIACYhIKAXkSDQoLCAESBwoACgMIgAJiEgoBeBINCgsIARIHCgAKAwiAAkIECgAQDQ=="
	textsModel   = "CAg6ZQoQCgFhEgFvIghJZGVudGl0eQoRCgFiEgJvMiIISWRlbnRpdHkSAWdaDQoBYRIICgYICBICCgBaDQoBYhIICgYICBICCgBiDQoBbxIICgYICBICCgBiDgoCbzISCAoGCAgSAgoAQgQKABAN"
)

// onnxWorker loads a model into a worker in this process, and returns what asks it.
func onnxWorker(t *testing.T, model string) func(kind uint16, rows uint32, header any, buffers ...[]byte) modelwire.Frame {
	t.Helper()
	python, err := levadatest.LibraryPython("serving", "onnx")
	if err != nil {
		t.Fatal(err)
	}
	library, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(python)), "lib", "python*", "site-packages", "onnxruntime", "capi", "libonnxruntime.so.*"))
	if err != nil || len(library) == 0 {
		t.Fatalf("there is no library of ONNX Runtime beside %s (%v)", python, err)
	}
	dir := t.TempDir()
	content, err := base64.StdEncoding.DecodeString(model)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "model.onnx"), content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- onnxworker.Serve(far) }()
	t.Cleanup(func() {
		if err := errors.Join(near.Close(), <-ended); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	ask := func(kind uint16, rows uint32, header any, buffers ...[]byte) modelwire.Frame {
		t.Helper()
		frame, err := modelwire.Append(nil, 1, kind, rows, header, buffers)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := near.Write(frame); err != nil {
			t.Fatal(err)
		}
		f, err := modelwire.Read(near, make([]byte, 4))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := ask(modelwire.KindLoad, 0, modelwire.Order{Path: dir, ONNX: &modelwire.ONNX{Library: library[0], Model: "model.onnx", Threads: 1}}); f.Kind != modelwire.KindOK {
		t.Fatal(f.Failure())
	}
	return ask
}

func TestAnInputThatAModelGivesBackIsNotReadAfterItIsFree(t *testing.T) {
	ask := onnxWorker(t, throughModel)
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-stopped }()
	go func() { // what is free is soon something else
		defer close(stopped)
		var held []byte
		for {
			select {
			case <-stop:
				runtime.KeepAlive(held)
				return
			default:
			}
			runtime.GC()
			for range 2000 {
				held = make([]byte, 4096)
				for i := range held {
					held[i] = 0xaa
				}
			}
		}
	}()
	const rows, columns = 1024, 256
	header := modelwire.InputHeader{Inputs: []modelwire.TensorHeader{{Name: "x", Datatype: infer.FP64, Shape: []int64{-1, columns}}}}
	for k := range 100 {
		data := make([]byte, 0, 8*rows*columns)
		for i := range rows * columns {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(i+k)))
		}
		f := ask(modelwire.KindPredict, rows, header, data)
		if f.Kind != modelwire.KindOK || len(f.Buffers) != 2 {
			t.Fatalf("%d: %+v", f.Kind, f.Failure())
		}
		for i := range rows * columns {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(f.Buffers[1][4*i:])); got != float32(i+k) {
				t.Fatalf("request %d, value %d: %v; want %d", k, i, got, i+k)
			}
		}
	}
}

func TestAColumnWithoutItsValuesDoesNotEndTheWorker(t *testing.T) {
	ask := onnxWorker(t, textsModel)
	column := func(name string, shape ...int64) modelwire.TensorHeader {
		return modelwire.TensorHeader{Name: name, Datatype: infer.Bytes, Shape: shape}
	}
	f := ask(modelwire.KindPredict, 5, modelwire.InputHeader{Content: infer.ContentTable, Inputs: []modelwire.TensorHeader{column("a", 5, 0), column("b", 5, 0)}}, nil, nil)
	if said := f.Failure().Error; f.Kind != modelwire.KindRaised || !strings.Contains(said, "Invalid rank") {
		t.Errorf("%d: %s", f.Kind, said)
	}
	one := infer.AppendBytes(nil, []byte("é"))
	f = ask(modelwire.KindPredict, 1, modelwire.InputHeader{Content: infer.ContentTable, Inputs: []modelwire.TensorHeader{column("a", -1, 1), column("b", -1)}}, one, one)
	if f.Kind != modelwire.KindOK || string(f.Buffers[0]) != string(one) {
		t.Errorf("%d: %+v", f.Kind, f.Failure())
	}
}
