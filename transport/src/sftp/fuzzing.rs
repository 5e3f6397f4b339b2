//! What holds of the reader of what SFTP servers answer, whatever they answer.
//!
//! Owns one property, as a function of any bytes that fails an assertion where it does not hold: nothing panics, and no
//! answer is larger than the packet that it came in.

use super::answer::{Answer, answer_in};

/// What a name takes at least in a packet: two lengths and the flags of its attributes.
const NAME_MIN: usize = 12;

/// A packet, without its length.
pub fn answer(bytes: &[u8]) {
    let Ok((_, answer)) = answer_in(bytes) else { return };
    match answer {
        Answer::Handle(told) | Answer::Data(told) => assert!(told.len() <= bytes.len(), "{}", told.len()),
        Answer::Names(names) => {
            assert!(names.len() <= bytes.len() / NAME_MIN, "{} names", names.len());
            // What is no text becomes a character of three bytes.
            let told: usize = names.iter().map(|(name, _)| name.len()).sum();
            assert!(told <= 3 * bytes.len(), "{told}");
            assert!(!names.iter().any(|(_, found)| found.is_file() && found.is_folder()));
        }
        Answer::Greeting | Answer::Status(_) | Answer::Attributes(_) => {}
    }
}
