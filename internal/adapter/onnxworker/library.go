// Package onnxworker runs an ONNX model with the shared library of ONNX Runtime, and answers the frames of a server: it is what
// python/modelworker.py is, without Python.
//
// The library is loaded at run time, without C at build time. It is called in a process of its own (cmd/levada-onnx): when it crashes, the
// server starts another. What a client may send is turned into the model's inputs here as MLflow's flavor does. Start reading at Serve, then
// session.go; library.go is the only file that calls C.
package onnxworker

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The version of the interface that is asked for, that of ONNX Runtime 1.11: newer libraries have all of it, at the same places.
const apiVersion = 11

// The places of functions in the struct OrtApi. It only ever grows at its end: "All new functions must be added at the end"
// (onnxruntime_c_api.h, https://github.com/microsoft/onnxruntime/blob/main/include/onnxruntime/core/session/onnxruntime_c_api.h).
const (
	fnGetErrorMessage          = 2
	fnCreateEnv                = 3
	fnCreateSession            = 7
	fnRun                      = 9
	fnCreateSessionOptions     = 10
	fnSetSessionExecutionMode  = 13
	fnSetGraphOptimization     = 23
	fnSetIntraOpNumThreads     = 24
	fnSetInterOpNumThreads     = 25
	fnSessionGetInputCount     = 30
	fnSessionGetOutputCount    = 31
	fnSessionGetInputTypeInfo  = 33
	fnSessionGetOutputTypeInfo = 34
	fnSessionGetInputName      = 36
	fnSessionGetOutputName     = 37
	fnCreateTensorAsOrtValue   = 48
	fnCreateTensorWithData     = 49
	fnGetTensorMutableData     = 51
	fnFillStringTensor         = 52
	fnGetStringDataLength      = 53
	fnGetStringContent         = 54
	fnCastTypeInfoToTensorInfo = 55
	fnGetOnnxTypeFromTypeInfo  = 56
	fnGetTensorElementType     = 60
	fnGetDimensionsCount       = 61
	fnGetDimensions            = 62
	fnGetTensorTypeAndShape    = 65
	fnCreateCPUMemoryInfo      = 69
	fnAllocatorFree            = 76
	fnGetDefaultAllocator      = 78
	fnGetValue                 = 80
	fnGetValueCount            = 81
	fnReleaseStatus            = 93
	fnReleaseSession           = 95
	fnReleaseValue             = 96
	fnReleaseTypeInfo          = 98
	fnReleaseTensorInfo        = 99
	fnReleaseSessionOptions    = 100
	fnCastToMapTypeInfo        = 103
	fnCastToSequenceTypeInfo   = 104
	fnGetMapKeyType            = 105
	fnGetMapValueType          = 106
	fnGetSequenceElementType   = 107
	fnGetAvailableProviders    = 125
	fnReleaseProviders         = 126
	fnAddSessionConfigEntry    = 130
)

// handle is an object of the library.
type handle uintptr

// library is ONNX Runtime, loaded. It stays until the process ends.
type library struct {
	functions *[fnAddSessionConfigEntry + 1]uintptr
	version   string
	env       handle
	allocator handle // the default one, for texts and for the parts of sequences
	memory    handle // says that a tensor's memory is the processor's
}

// openLibrary loads the library from a file.
func openLibrary(path string) (*library, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load ONNX Runtime: %w", err)
	}
	getBase, err := purego.Dlsym(lib, "OrtGetApiBase")
	if err != nil {
		return nil, fmt.Errorf("%s is not ONNX Runtime: %w", path, err)
	}
	at, _, _ := purego.SyscallN(getBase)
	if at == 0 {
		return nil, fmt.Errorf("%s has no interface", path)
	}
	base := (*struct{ getAPI, getVersion uintptr })(pointer(at))
	version, _, _ := purego.SyscallN(base.getVersion)
	l := &library{version: text(version)}
	functions, _, _ := purego.SyscallN(base.getAPI, apiVersion)
	if functions == 0 {
		return nil, fmt.Errorf("ONNX Runtime %s is too old: 1.%d or newer is needed", l.version, apiVersion)
	}
	l.functions = (*[fnAddSessionConfigEntry + 1]uintptr)(pointer(functions))
	name := cString("levada")
	const onlyErrors = 3
	if err := l.call(fnCreateEnv, onlyErrors, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&l.env))); err != nil {
		return nil, err
	}
	if err := l.call(fnGetDefaultAllocator, uintptr(unsafe.Pointer(&l.allocator))); err != nil {
		return nil, err
	}
	const arena, standard = 1, 0
	return l, l.call(fnCreateCPUMemoryInfo, arena, standard, uintptr(unsafe.Pointer(&l.memory)))
}

// call calls a function that returns a status, which is an error unless it is nil. Pointers become
// numbers in the call itself: then the compiler keeps what they point to, and where it is.
//
//go:uintptrescapes
func (l *library) call(function int, args ...uintptr) error {
	status, _, _ := purego.SyscallN(l.functions[function], args...)
	if status == 0 {
		return nil
	}
	message, _, _ := purego.SyscallN(l.functions[fnGetErrorMessage], status)
	err := ortError(text(message))
	purego.SyscallN(l.functions[fnReleaseStatus], status)
	return err
}

// release gives back an object; none is fine.
func (l *library) release(function int, h handle) {
	if h != 0 {
		purego.SyscallN(l.functions[function], uintptr(h))
	}
}

// ortError is what the library says went wrong.
type ortError string

func (e ortError) Error() string { return string(e) }

// pointer is a pointer to memory that is not Go's.
func pointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }

// cString is a text as C has it.
func cString(s string) []byte { return append([]byte(s), 0) }

// text copies a text of C.
func text(at uintptr) string {
	if at == 0 {
		return ""
	}
	p := (*byte)(pointer(at))
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

// allocated copies a text that the library has allocated, and frees it.
func (l *library) allocated(at uintptr) (string, error) {
	s := text(at)
	return s, l.call(fnAllocatorFree, uintptr(l.allocator), at)
}

// providers are the kinds of hardware that the library was built for.
func (l *library) providers() ([]string, error) {
	var list uintptr
	var n int32
	if err := l.call(fnGetAvailableProviders, uintptr(unsafe.Pointer(&list)), uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	var names []string
	for _, at := range unsafe.Slice((*uintptr)(pointer(list)), n) {
		names = append(names, text(at))
	}
	return names, l.call(fnReleaseProviders, list, uintptr(n))
}

// tensor makes a tensor on the bytes of data, which must stay until it is released: the pinner sees to that.
func (l *library) tensor(pin *runtime.Pinner, e element, shape []int64, data []byte) (handle, error) {
	if len(data) == 0 {
		data = make([]byte, 8) // the library wants an address, also for nothing
		data = data[:0:8]
	}
	first := unsafe.SliceData(data)
	pin.Pin(first)
	var v handle
	err := l.call(fnCreateTensorWithData, uintptr(l.memory), uintptr(unsafe.Pointer(first)), uintptr(len(data)), uintptr(unsafe.Pointer(dimensions(shape))), uintptr(len(shape)), uintptr(e), uintptr(unsafe.Pointer(&v)))
	return v, err
}

// dimensions is the address of a shape.
func dimensions(shape []int64) *int64 {
	if len(shape) == 0 {
		return new(int64) // a scalar's is looked at no further
	}
	return &shape[0]
}

// texts makes a tensor of texts. The library copies them.
func (l *library) texts(shape []int64, elements [][]byte) (handle, error) {
	var v handle
	if err := l.call(fnCreateTensorAsOrtValue, uintptr(l.allocator), uintptr(unsafe.Pointer(dimensions(shape))), uintptr(len(shape)), uintptr(elementText), uintptr(unsafe.Pointer(&v))); err != nil {
		return 0, err
	}
	if len(elements) == 0 {
		return v, nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	list := make([]*byte, len(elements))
	for i, e := range elements {
		// C's texts end at a zero.
		list[i] = &append(e[:len(e):len(e)], 0)[0]
		pin.Pin(list[i])
	}
	if err := l.call(fnFillStringTensor, uintptr(v), uintptr(unsafe.Pointer(&list[0])), uintptr(len(list))); err != nil {
		l.release(fnReleaseValue, v)
		return 0, err
	}
	return v, nil
}

// shapeOf is the type and shape of a value that is a tensor.
func (l *library) shapeOf(v handle) (element, []int64, error) {
	var info handle
	if err := l.call(fnGetTensorTypeAndShape, uintptr(v), uintptr(unsafe.Pointer(&info))); err != nil {
		return 0, nil, err
	}
	defer l.release(fnReleaseTensorInfo, info)
	return l.describe(info)
}

// describe reads a description of tensors; -1 in the shape is any size.
func (l *library) describe(info handle) (element, []int64, error) {
	var e int32
	var n uintptr
	if err := l.call(fnGetTensorElementType, uintptr(info), uintptr(unsafe.Pointer(&e))); err != nil {
		return 0, nil, err
	}
	if err := l.call(fnGetDimensionsCount, uintptr(info), uintptr(unsafe.Pointer(&n))); err != nil {
		return 0, nil, err
	}
	shape := make([]int64, n)
	return element(e), shape, l.call(fnGetDimensions, uintptr(info), uintptr(unsafe.Pointer(dimensions(shape))), n)
}

// bytesOf copies the elements of a tensor of numbers.
func (l *library) bytesOf(v handle, n int64) ([]byte, error) {
	var at uintptr
	if err := l.call(fnGetTensorMutableData, uintptr(v), uintptr(unsafe.Pointer(&at))); err != nil || n == 0 {
		return nil, err
	}
	return append([]byte(nil), unsafe.Slice((*byte)(pointer(at)), n)...), nil
}

// textsOf copies the n elements of a tensor of texts.
func (l *library) textsOf(v handle, n int64) ([][]byte, error) {
	if n == 0 {
		return nil, nil
	}
	var size uintptr
	if err := l.call(fnGetStringDataLength, uintptr(v), uintptr(unsafe.Pointer(&size))); err != nil {
		return nil, err
	}
	all, begins := make([]byte, size+1), make([]uintptr, n+1) // not empty, so that they have an address
	if err := l.call(fnGetStringContent, uintptr(v), uintptr(unsafe.Pointer(&all[0])), size, uintptr(unsafe.Pointer(&begins[0])), uintptr(n)); err != nil {
		return nil, err
	}
	begins[n] = size
	list := make([][]byte, n)
	for i := range list {
		list[i] = all[begins[i]:begins[i+1]:begins[i+1]]
	}
	return list, nil
}

// part is a part of a sequence or map.
func (l *library) part(v handle, i int) (handle, error) {
	var p handle
	err := l.call(fnGetValue, uintptr(v), uintptr(i), uintptr(l.allocator), uintptr(unsafe.Pointer(&p)))
	return p, err
}
