package onnxworker

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"levada/internal/adapter/modelwire"
)

// errUnfit is wrapped by the errors of models that only another kind of worker may run.
var errUnfit = errors.New("ONNX Runtime without Python cannot serve this model")

// session is a loaded model.
type session struct {
	lib     *library
	handle  handle
	inputs  []port
	outputs []port
	// rows is the only first dimension that the model takes; 0 for any.
	rows int64
	// The names as the library takes them.
	inputNames, outputNames []*byte
	pin                     runtime.Pinner
	// columns says that the signature is one of a table, named that it has names, known that there is one.
	columns, named, known bool
}

// port is an input or output of a model.
type port struct {
	name    string
	element element
	shape   []int64
	// dicts says that an output is a list of dictionaries, as classifiers of scikit-learn have it; element is that of the values.
	dicts bool
}

// open loads a model.
func (l *library) open(path string, o modelwire.Order) (*session, error) {
	s := &session{lib: l}
	var options handle
	if err := l.call(fnCreateSessionOptions, uintptr(unsafe.Pointer(&options))); err != nil {
		return nil, err
	}
	defer l.release(fnReleaseSessionOptions, options)
	if err := l.configure(options, o); err != nil {
		return nil, err
	}
	file := cString(path)
	if err := l.call(fnCreateSession, uintptr(l.env), uintptr(unsafe.Pointer(&file[0])), uintptr(options), uintptr(unsafe.Pointer(&s.handle))); err != nil {
		return nil, err
	}
	if err := s.look(); err != nil {
		return nil, err
	}
	return s, s.read(o.Signature)
}

// configure sets what a session is made with: MLflow's onnx_session_options where the model has them, else the endpoint's.
func (l *library) configure(options handle, o modelwire.Order) error {
	flavor := o.Flavors["onnx"]
	if err := l.onProcessor(flavor); err != nil {
		return err
	}
	wanted, _ := flavor["onnx_session_options"].(map[string]any)
	number := func(name string, standard int) uintptr {
		if f, ok := wanted[name].(float64); ok && f > 0 {
			return uintptr(f)
		}
		return uintptr(standard)
	}
	calls := []error{
		l.call(fnSetIntraOpNumThreads, uintptr(options), number("intra_op_num_threads", max(o.ONNX.Threads, 1))),
		l.call(fnSetInterOpNumThreads, uintptr(options), number("inter_op_num_threads", 1)),
	}
	if _, there := wanted["graph_optimization_level"]; there {
		calls = append(calls, l.call(fnSetGraphOptimization, uintptr(options), number("graph_optimization_level", 0)))
	}
	if mode, _ := wanted["execution_mode"].(string); strings.EqualFold(mode, "parallel") {
		calls = append(calls, l.call(fnSetSessionExecutionMode, uintptr(options), 1))
	}
	extra, _ := wanted["extra_session_config"].(map[string]any)
	for name, v := range extra {
		key, value := cString(name), cString(fmt.Sprint(v))
		calls = append(calls, l.call(fnAddSessionConfigEntry, uintptr(options), uintptr(unsafe.Pointer(&key[0])), uintptr(unsafe.Pointer(&value[0]))))
	}
	return errors.Join(calls...)
}

// onProcessor refuses a model that asks for hardware that the library could use: this worker uses the processor only.
func (l *library) onProcessor(flavor map[string]any) error {
	wanted, _ := flavor["providers"].([]any)
	if len(wanted) == 0 {
		return nil
	}
	there, err := l.providers()
	if err != nil {
		return err
	}
	for _, p := range wanted {
		if list, ok := p.([]any); ok && len(list) > 0 { // with options
			p = list[0]
		}
		name, _ := p.(string)
		if name == "CPUExecutionProvider" {
			return nil // what comes first is used first
		}
		if slices.Contains(there, name) {
			return fmt.Errorf("%w: it asks for %s", errUnfit, name)
		}
	}
	return nil
}

// look reads what the model takes and gives.
func (s *session) look() (err error) {
	if s.inputs, err = s.ports(fnSessionGetInputCount, fnSessionGetInputName, fnSessionGetInputTypeInfo); err != nil {
		return err
	}
	if s.outputs, err = s.ports(fnSessionGetOutputCount, fnSessionGetOutputName, fnSessionGetOutputTypeInfo); err != nil {
		return err
	}
	for i, in := range s.inputs {
		if in.dicts {
			return fmt.Errorf("%w: its input %q is no tensor", errUnfit, in.name)
		}
		if len(in.shape) > 0 && in.shape[0] > 0 && (i == 0 || s.rows == in.shape[0]) {
			s.rows = in.shape[0]
		}
	}
	s.inputNames, s.outputNames = s.names(s.inputs), s.names(s.outputs)
	return nil
}

func (s *session) names(ports []port) []*byte {
	out := make([]*byte, len(ports))
	for i, p := range ports {
		out[i] = &cString(p.name)[0]
		s.pin.Pin(out[i])
	}
	return out
}

func (s *session) ports(count, name, info int) ([]port, error) {
	l := s.lib
	var n uintptr
	if err := l.call(count, uintptr(s.handle), uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	out := make([]port, n)
	for i := range out {
		var text uintptr
		if err := l.call(name, uintptr(s.handle), uintptr(i), uintptr(l.allocator), uintptr(unsafe.Pointer(&text))); err != nil {
			return nil, err
		}
		var err error
		if out[i].name, err = l.allocated(text); err != nil {
			return nil, err
		}
		var described handle
		if err := l.call(info, uintptr(s.handle), uintptr(i), uintptr(unsafe.Pointer(&described))); err != nil {
			return nil, err
		}
		err = l.typed(&out[i], described)
		l.release(fnReleaseTypeInfo, described)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// The kinds of values (ONNXType).
const (
	kindTensor   = 1
	kindSequence = 2
	kindMap      = 3
)

// typed reads a description of a value.
func (l *library) typed(p *port, info handle) error {
	kind, err := l.kindOf(info)
	if err != nil {
		return err
	}
	switch kind {
	case kindTensor:
		var tensor handle // part of info
		if err := l.call(fnCastTypeInfoToTensorInfo, uintptr(info), uintptr(unsafe.Pointer(&tensor))); err != nil {
			return err
		}
		if p.element, p.shape, err = l.describe(tensor); err != nil {
			return err
		}
		if _, known := datatypes[p.element]; !known {
			return fmt.Errorf("%w: %q is of %s, which the protocols have no name for", errUnfit, p.name, p.element)
		}
		return nil
	case kindSequence:
		p.dicts = true
		return l.dictionaries(p, info)
	}
	return fmt.Errorf("%w: %q is neither a tensor nor a list of dictionaries", errUnfit, p.name)
}

func (l *library) kindOf(info handle) (int32, error) {
	var kind int32
	err := l.call(fnGetOnnxTypeFromTypeInfo, uintptr(info), uintptr(unsafe.Pointer(&kind)))
	return kind, err
}

// dictionaries refuses a sequence that is not one of dictionaries whose keys are texts or whole numbers and whose values are numbers.
func (l *library) dictionaries(p *port, info handle) error {
	var sequence, item, dict, values, tensor handle // sequence, dict and tensor are parts of the others
	unfit := fmt.Errorf("%w: %q is a list of something else than dictionaries of numbers", errUnfit, p.name)
	if err := l.call(fnCastToSequenceTypeInfo, uintptr(info), uintptr(unsafe.Pointer(&sequence))); err != nil {
		return err
	}
	if err := l.call(fnGetSequenceElementType, uintptr(sequence), uintptr(unsafe.Pointer(&item))); err != nil {
		return err
	}
	defer l.release(fnReleaseTypeInfo, item)
	if kind, err := l.kindOf(item); err != nil || kind != kindMap {
		return errors.Join(unfit, err)
	}
	if err := l.call(fnCastToMapTypeInfo, uintptr(item), uintptr(unsafe.Pointer(&dict))); err != nil {
		return err
	}
	var key int32
	if err := l.call(fnGetMapKeyType, uintptr(dict), uintptr(unsafe.Pointer(&key))); err != nil {
		return err
	}
	if err := l.call(fnGetMapValueType, uintptr(dict), uintptr(unsafe.Pointer(&values))); err != nil {
		return err
	}
	defer l.release(fnReleaseTypeInfo, values)
	if kind, err := l.kindOf(values); err != nil || kind != kindTensor {
		return errors.Join(unfit, err)
	}
	if err := l.call(fnCastTypeInfoToTensorInfo, uintptr(values), uintptr(unsafe.Pointer(&tensor))); err != nil {
		return err
	}
	var err error
	if p.element, _, err = l.describe(tensor); err != nil {
		return err
	}
	if k := element(key); k != elementText && k != elementInt64 || p.element != elementFloat && p.element != elementDouble && p.element != elementInt64 {
		return unfit
	}
	return nil
}

// close gives the model back.
func (s *session) close() {
	s.lib.release(fnReleaseSession, s.handle)
	s.pin.Unpin()
}
