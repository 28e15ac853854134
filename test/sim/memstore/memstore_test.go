package memstore_test

import (
	"testing"

	"levada/internal/adapter/store/storetest"
	"levada/test/sim/memstore"
)

func TestTheMemoryStoreKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Store { return memstore.New() })
}
