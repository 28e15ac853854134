module levada

go 1.26.0
