package oip

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The messages and calls that this door speaks, for clients that ask for them (reflection.go). Nothing here reads or writes messages:
// message.go does, by the same numbers, and a test compares them with Triton's generated code.
//
// A message is a line "NAME: FIELD=NUMBER TYPE, ..."; a type is one of protobuf's or a message, "*" before it says repeated, "map" a map from
// texts, and "|" before a field that it belongs to the one oneof of its message. A message inside of another has its dotted name and comes after it.
const inferenceMessages = `
ServerLiveRequest:
ServerLiveResponse: live=1 bool
ServerReadyRequest:
ServerReadyResponse: ready=1 bool
ModelReadyRequest: name=1 string, version=2 string
ModelReadyResponse: ready=1 bool
ServerMetadataRequest:
ServerMetadataResponse: name=1 string, version=2 string, extensions=3 *string
ModelMetadataRequest: name=1 string, version=2 string
ModelMetadataResponse: name=1 string, versions=2 *string, platform=3 string, inputs=4 *ModelMetadataResponse.TensorMetadata, outputs=5 *ModelMetadataResponse.TensorMetadata
ModelMetadataResponse.TensorMetadata: name=1 string, datatype=2 string, shape=3 *int64
InferParameter: |bool_param=1 bool, |int64_param=2 int64, |string_param=3 string, |double_param=4 double, |uint64_param=5 uint64
InferTensorContents: bool_contents=1 *bool, int_contents=2 *int32, int64_contents=3 *int64, uint_contents=4 *uint32, uint64_contents=5 *uint64, fp32_contents=6 *float, fp64_contents=7 *double, bytes_contents=8 *bytes
ModelInferRequest: model_name=1 string, model_version=2 string, id=3 string, parameters=4 map InferParameter, inputs=5 *ModelInferRequest.InferInputTensor, outputs=6 *ModelInferRequest.InferRequestedOutputTensor, raw_input_contents=7 *bytes
ModelInferRequest.InferInputTensor: name=1 string, datatype=2 string, shape=3 *int64, parameters=4 map InferParameter, contents=5 InferTensorContents
ModelInferRequest.InferRequestedOutputTensor: name=1 string, parameters=2 map InferParameter
ModelInferResponse: model_name=1 string, model_version=2 string, id=3 string, parameters=4 map InferParameter, outputs=5 *ModelInferResponse.InferOutputTensor, raw_output_contents=6 *bytes
ModelInferResponse.InferOutputTensor: name=1 string, datatype=2 string, shape=3 *int64, parameters=4 map InferParameter, contents=5 InferTensorContents
ModelStatisticsRequest: name=1 string, version=2 string
StatisticDuration: count=1 uint64, ns=2 uint64
InferStatistics: success=1 StatisticDuration, fail=2 StatisticDuration, queue=3 StatisticDuration, compute_infer=5 StatisticDuration
MemoryUsage: type=1 string, id=2 int64, byte_size=3 uint64
ModelStatistics: name=1 string, version=2 string, last_inference=3 uint64, inference_count=4 uint64, execution_count=5 uint64, inference_stats=6 InferStatistics, memory_usage=8 *MemoryUsage
ModelStatisticsResponse: model_stats=1 *ModelStatistics`

const healthMessages = `
HealthCheckRequest: service=1 string
HealthCheckResponse: status=1 HealthCheckResponse.ServingStatus`

const reflectionMessages = `
ServerReflectionRequest: host=1 string, |file_by_filename=3 string, |file_containing_symbol=4 string, |file_containing_extension=5 ExtensionRequest, |all_extension_numbers_of_type=6 string, |list_services=7 string
ExtensionRequest: containing_type=1 string, extension_number=2 int32
ServerReflectionResponse: valid_host=1 string, original_request=2 ServerReflectionRequest, |file_descriptor_response=4 FileDescriptorResponse, |all_extension_numbers_response=5 ExtensionNumberResponse, |list_services_response=6 ListServiceResponse, |error_response=7 ErrorResponse
FileDescriptorResponse: file_descriptor_proto=1 *bytes
ExtensionNumberResponse: base_type_name=1 string, extension_number=2 *int32
ListServiceResponse: service=1 *ServiceResponse
ServiceResponse: name=1 string
ErrorResponse: error_code=1 int32, error_message=2 string`

// described is a file of descriptors as clients get it.
type described struct {
	name, service string
	// symbols are the full names of what it describes.
	symbols map[string]bool
	bytes   []byte
}

// files are all that is described.
var files = sync.OnceValue(func() []described {
	call := func(name string) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{Name: &name, InputType: new(name + "Request"), OutputType: new(name + "Response")}
	}
	inference := fileOf("open_inference_grpc.proto", "inference", inferenceMessages, "GRPCInferenceService")
	for _, name := range []string{"ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelStatistics"} {
		inference.Service[0].Method = append(inference.Service[0].Method, call(name))
	}
	health := fileOf("grpc/health/v1/health.proto", "grpc.health.v1", healthMessages, "Health")
	check := call("Check")
	check.InputType, check.OutputType = new("HealthCheckRequest"), new("HealthCheckResponse")
	health.Service[0].Method = append(health.Service[0].Method, check)
	states := &descriptorpb.EnumDescriptorProto{Name: new("ServingStatus")}
	for n, state := range []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"} {
		states.Value = append(states.Value, &descriptorpb.EnumValueDescriptorProto{Name: new(state), Number: new(int32(n))})
	}
	health.MessageType[1].EnumType = append(health.MessageType[1].EnumType, states)
	health.MessageType[1].Field[0].Type = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum()
	out := []described{finish(inference), finish(health)}
	for _, version := range []string{"v1", "v1alpha"} {
		f := fileOf("grpc/reflection/"+version+"/reflection.proto", "grpc.reflection."+version, reflectionMessages, "ServerReflection")
		info := &descriptorpb.MethodDescriptorProto{Name: new("ServerReflectionInfo"), InputType: new("ServerReflectionRequest"),
			OutputType: new("ServerReflectionResponse"), ClientStreaming: new(true), ServerStreaming: new(true)}
		f.Service[0].Method = append(f.Service[0].Method, info)
		out = append(out, finish(f))
	}
	return out
})

// fileOf is a file with messages and a service without calls.
func fileOf(name, pkg, messages, service string) *descriptorpb.FileDescriptorProto {
	f := &descriptorpb.FileDescriptorProto{Name: &name, Package: &pkg, Syntax: new("proto3"),
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: &service}}}
	known := map[string]*descriptorpb.DescriptorProto{}
	for line := range strings.Lines(strings.TrimSpace(messages)) {
		full, fields, _ := strings.Cut(strings.TrimSpace(line), ":")
		outer, inner, nested := strings.Cut(full, ".")
		m := &descriptorpb.DescriptorProto{Name: &outer}
		if nested {
			m.Name = &inner
			known[outer].NestedType = append(known[outer].NestedType, m)
		} else {
			f.MessageType = append(f.MessageType, m)
		}
		known[full] = m
		for field := range strings.SplitSeq(fields, ",") {
			if field = strings.TrimSpace(field); field != "" {
				addField(m, pkg+"."+full, field)
			}
		}
	}
	return f
}

var scalars = map[string]descriptorpb.FieldDescriptorProto_Type{
	"bool": descriptorpb.FieldDescriptorProto_TYPE_BOOL, "int32": descriptorpb.FieldDescriptorProto_TYPE_INT32, "int64": descriptorpb.FieldDescriptorProto_TYPE_INT64,
	"uint32": descriptorpb.FieldDescriptorProto_TYPE_UINT32, "uint64": descriptorpb.FieldDescriptorProto_TYPE_UINT64,
	"float": descriptorpb.FieldDescriptorProto_TYPE_FLOAT, "double": descriptorpb.FieldDescriptorProto_TYPE_DOUBLE,
	"string": descriptorpb.FieldDescriptorProto_TYPE_STRING, "bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES,
}

// addField adds a field to the message of the full name in.
func addField(m *descriptorpb.DescriptorProto, in, text string) {
	text, one := strings.CutPrefix(text, "|")
	name, rest, _ := strings.Cut(text, "=")
	digits, kind, _ := strings.Cut(rest, " ")
	f := &descriptorpb.FieldDescriptorProto{Name: &name, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	n := int32(0)
	for _, d := range digits {
		n = 10*n + (d - '0')
	}
	f.Number = &n
	if one {
		f.OneofIndex = new(int32(0))
		if len(m.OneofDecl) == 0 {
			m.OneofDecl = []*descriptorpb.OneofDescriptorProto{{Name: new("choice")}}
		}
	}
	kind, repeated := strings.CutPrefix(kind, "*")
	if value, isMap := strings.CutPrefix(kind, "map "); isMap {
		entry := strings.ReplaceAll(strings.ToUpper(name[:1])+name[1:], "_", "") + "Entry"
		e := &descriptorpb.DescriptorProto{Name: &entry, Options: &descriptorpb.MessageOptions{MapEntry: new(true)}}
		addField(e, in+"."+entry, "key=1 string")
		addField(e, in+"."+entry, "value=2 "+value)
		m.NestedType = append(m.NestedType, e)
		kind, repeated = entry, true
	}
	if repeated {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	if scalar, ok := scalars[kind]; ok {
		f.Type = scalar.Enum()
	} else {
		f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), &kind
	}
	m.Field = append(m.Field, f)
}

// finish gives all references their full names, and collects what the file describes.
func finish(f *descriptorpb.FileDescriptorProto) described {
	pkg := f.GetPackage()
	out := described{name: f.GetName(), service: pkg + "." + f.Service[0].GetName(), symbols: map[string]bool{}}
	full := func(name *string) {
		if name != nil && !strings.HasPrefix(*name, ".") {
			*name = "." + pkg + "." + *name
		}
	}
	var message func(in string, m *descriptorpb.DescriptorProto)
	message = func(in string, m *descriptorpb.DescriptorProto) {
		self := in + "." + m.GetName()
		out.symbols[self] = true
		for _, e := range m.EnumType {
			out.symbols[self+"."+e.GetName()] = true
		}
		for _, inner := range m.NestedType {
			message(self, inner)
		}
		for _, field := range m.Field {
			for _, inner := range m.NestedType {
				if field.GetTypeName() == inner.GetName() { // the entries of a map
					field.TypeName = new("." + self + "." + inner.GetName())
				}
			}
			full(field.TypeName)
		}
	}
	for _, m := range f.MessageType {
		message(pkg, m)
	}
	out.symbols[out.service] = true
	for _, c := range f.Service[0].Method {
		full(c.InputType)
		full(c.OutputType)
		out.symbols[out.service+"."+c.GetName()] = true
	}
	out.bytes, _ = proto.MarshalOptions{Deterministic: true}.Marshal(f) // nothing of it can be refused: a test reads it back
	return out
}
