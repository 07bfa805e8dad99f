//! Compiles aeron.c against the headers of the Aeron that rusteron-media-driver builds. SPDX-License-Identifier: Apache-2.0
use std::{env, path::PathBuf};

fn main() {
	let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
	let measure = here.join("../../../src/measure");
	for source in [here.join("aeron.c"), here.join("../peer.h"), measure.join("transport.h")] {
		println!("cargo:rerun-if-changed={}", source.display());
	}
	cc::Build::new()
		.file("aeron.c")
		.include(measure)
		.flag(format!("-isystem{}", env::var("DEP_AERON_DRIVER_INCLUDE").unwrap()))
		.flag(format!("-isystem{}", env::var("DEP_AERON_DRIVER_CLIENT_INCLUDE").unwrap()))
		.define("_GNU_SOURCE", None)
		.std("c11")
		.compile("peer_aeron_c");
}
