// Command levada is an ML pipeline platform in one program. It starts the composition root in internal/app and holds no
// logic of its own; it must not know any other package.
package main

import (
	"os"

	"levada/internal/app"
)

func main() { os.Exit(app.Main()) }
