package invocations

import (
	"levada/internal/api/predict"
	"levada/internal/core/fault"
	"levada/internal/core/infer"
)

// wantFormat is what MLflow's server says of a body in none of its forms.
const wantFormat = "the input is a JSON object with exactly one of the fields dataframe_split, dataframe_records, instances and inputs"

// parsed is a request, and how its answer goes out.
type parsed struct {
	request *infer.Request
	// csv is a body whose types only the signature says, in place of the request.
	csv []byte
	// bare leaves out the object with the key predictions around the answer, as MLflow does for chat and completions.
	bare bool
}

// field is a value that is none of the formats.
type field struct {
	name string
	raw  []byte
}

// readJSON reads a body in one of MLflow's forms (mlflow.pyfunc.scoring_server, version 3.17).
func readJSON(body []byte) (parsed, error) {
	r := predict.NewReader(body)
	if r.Peek() != '{' {
		return parsed{}, fault.Invalidf("%s", wantFormat)
	}
	p := parsed{request: new(infer.Request)}
	var others []field
	format := ""
	content := infer.ContentTable
	err := r.Object(func(key []byte) (err error) {
		switch name := string(key); name {
		case "dataframe_split", "dataframe_records", "instances", "inputs":
			if format != "" {
				return fault.Invalidf("%s; %s and %s came", wantFormat, format, name)
			}
			format = name
			p.request.Inputs, content, err = readFormat(r, name)
			return err
		case "params":
			var v any
			if v, err = r.Value(); err != nil {
				return err
			}
			params, ok := v.(map[string]any)
			if !ok && v != nil {
				return fault.Invalidf("params is an object that has a value for each parameter")
			}
			p.request.Parameters = params
		case "signature_name":
			return fault.Invalidf("\"signature_name\" parameter is currently not supported")
		default:
			raw, err := r.Raw()
			others = append(others, field{name, raw})
			return err
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err == nil && format == "" {
		p.bare = true
		p.request.Inputs, err = chat(others)
	}
	if err != nil {
		return parsed{}, err
	}
	mark(p.request, content)
	return p, nil
}

// mark says that a request is a table or tensors, and that its values have no types.
func mark(r *infer.Request, content string) {
	if r.Parameters == nil {
		r.Parameters = make(map[string]any, 2)
	}
	r.Parameters[infer.ContentType] = content
	r.Parameters[infer.ContentUntyped] = true
}

func readFormat(r *predict.Reader, format string) ([]infer.Tensor, string, error) {
	var t *table
	var err error
	switch {
	case format == "dataframe_split":
		t, err = readSplit(r)
	case format == "dataframe_records", r.ListOf() == '{':
		t, err = readRecords(r)
	case r.Peek() == '{':
		inputs, err := readNamed(r)
		return inputs, infer.ContentTensor, err
	default:
		tensor, err := r.Tensor("")
		return []infer.Tensor{tensor}, infer.ContentTensor, err
	}
	if err != nil {
		return nil, "", err
	}
	if format == "instances" {
		return t.tensors(), infer.ContentTensor, nil
	}
	return t.tensors(), infer.ContentTable, nil
}

// readNamed reads {"a": [...], "b": [...]}.
func readNamed(r *predict.Reader) ([]infer.Tensor, error) {
	var inputs []infer.Tensor
	err := r.Object(func(key []byte) error {
		if len(inputs) >= mostColumns {
			return fault.TooLargef("the request has more than %d inputs", mostColumns)
		}
		t, err := r.Tensor(string(key))
		inputs = append(inputs, t)
		return err
	})
	return inputs, err
}

// chat makes the one row of a table of a request for chat, completions or embeddings.
func chat(fields []field) ([]infer.Tensor, error) {
	is := false
	for _, f := range fields {
		is = is || f.name == "messages" || f.name == "prompt" || f.name == "input"
	}
	if !is {
		return nil, fault.Invalidf("%s", wantFormat)
	}
	t := new(table)
	for _, f := range fields {
		at, err := t.column(f.name)
		if err == nil && t.columns[at].Len() > 0 {
			err = fault.Invalidf("the input has %q twice", fault.Shorten(f.name, 100))
		}
		if err == nil {
			err = t.columns[at].Add(predict.NewReader(f.raw))
		}
		if err != nil {
			return nil, err
		}
	}
	return t.tensors(), nil
}
