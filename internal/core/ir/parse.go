package ir

// MaxBytes is the largest specification that is accepted (KFP's upload limit, 32 MiB).
const MaxBytes = 32 << 20
