//! To come in this step.
