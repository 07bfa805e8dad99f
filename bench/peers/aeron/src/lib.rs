//! Makes the static library: Aeron's objects come with this crate, the peer itself is aeron.c.
extern crate rusteron_media_driver;
