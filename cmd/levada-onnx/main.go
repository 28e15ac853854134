// Command levada-onnx is a worker that a Levada server starts: it has one ONNX model loaded and answers batches of requests, over a socket that
// it is given as descriptor 3. It is a program of its own because ONNX Runtime, a shared library, is loaded into it.
package main

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"levada/internal/adapter/onnxworker"
)

func main() {
	// What the library starts must not hold the connection.
	syscall.CloseOnExec(3)
	conn, err := net.FileConn(os.NewFile(3, "server"))
	if err == nil {
		err = onnxworker.Serve(conn)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "levada-onnx:", err, "(a Levada server starts this program; it has no use of its own)")
		os.Exit(1)
	}
}
