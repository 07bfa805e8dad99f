/* json.h - strings in JSON. SPDX-License-Identifier: Apache-2.0 */
#ifndef SLIP_MEASURE_JSON_H
#define SLIP_MEASURE_JSON_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A JSON string, quoted and escaped. */
void json_string(FILE *to, const char *text);

#ifdef __cplusplus
}
#endif

#endif
