/*
 * dlpack_abi.h - the structs of DLPack 1.0 that two libraries of one process pass each other: facts of the standard, https://dmlc.github.io/dlpack.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SLIP_PYTHON_DLPACK_ABI_H
#define SLIP_PYTHON_DLPACK_ABI_H

#include <stdint.h>

enum { DLPACK_MAJOR = 1, DLPACK_MINOR = 0, DLPACK_CPU = 1 };

#define DLPACK_READ_ONLY (UINT64_C(1) << 0)
#define DLPACK_IS_COPIED (UINT64_C(1) << 1)

struct dlpack_device {
	int32_t type;
	int32_t id;
};

struct dlpack_dtype {
	uint8_t code;
	uint8_t bits;
	uint16_t lanes;
};

struct dlpack_tensor {
	void *data;
	struct dlpack_device device;
	int32_t ndim;
	struct dlpack_dtype dtype;
	int64_t *shape;
	int64_t *strides; /* in elements */
	uint64_t byte_offset;
};

/* Capsule "dltensor"; renamed "used_dltensor" by the consumer. */
struct dlpack_managed {
	struct dlpack_tensor tensor;
	void *context;
	void (*deleter)(struct dlpack_managed *self);
};

/* Capsule "dltensor_versioned"; renamed "used_dltensor_versioned". */
struct dlpack_versioned {
	uint32_t major;
	uint32_t minor;
	void *context;
	void (*deleter)(struct dlpack_versioned *self);
	uint64_t flags;
	struct dlpack_tensor tensor;
};

#endif
