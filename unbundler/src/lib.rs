//! unbundler
