//! The default bundle's sentence encoder against PyTorch (tests/reference/sentence.py).

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use biam_lens::semantics::{
    LabelEncoder, SemanticsError, SentenceEncoder, Source, convert_sentence_tokenizer,
    convert_sentence_weights,
};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;

type Outcome = Result<(), Box<dyn Error>>;

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The encoder that `weights/default` holds.
fn encoder() -> Result<SentenceEncoder, Box<dyn Error>> {
    let weights = root("weights/default/text_encoder.safetensors");
    let tokenizer = root("weights/default/tokenizer.json");
    let (weight_bytes, tokenizer_bytes) = (std::fs::read(&weights)?, std::fs::read(&tokenizer)?);
    let weights = Source {
        path: &weights,
        bytes: &weight_bytes,
    };
    let tokenizer = Source {
        path: &tokenizer,
        bytes: &tokenizer_bytes,
    };
    Ok(SentenceEncoder::load(weights, tokenizer, &Device::Cpu)?)
}

/// Twenty phrases with their vectors `[20, 384]` from weights in half and in full precision.
struct Reference {
    phrases: Vec<String>,
    rounded: Tensor,
    full: Tensor,
}

fn reference() -> Result<Reference, Box<dyn Error>> {
    let bytes = std::fs::read(root("tests/reference/sentence.safetensors"))?;
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let metadata = header.metadata().as_ref().ok_or("no metadata")?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
    Ok(Reference {
        phrases: serde_json::from_str(&metadata["phrases"])?,
        rounded: tensors["rounded"].clone(),
        full: tensors["full"].clone(),
    })
}

fn largest_difference(a: &Tensor, b: &Tensor) -> candle_core::Result<f32> {
    (a - b)?.abs()?.max_all()?.to_scalar()
}

fn smallest_cosine(a: &Tensor, b: &Tensor) -> candle_core::Result<f32> {
    (a * b)?.sum(1)?.min(0)?.to_scalar()
}

#[test]
fn vectors_agree_with_pytorch() -> Outcome {
    let reference = reference()?;
    let phrases: Vec<&str> = reference.phrases.iter().map(String::as_str).collect();
    let vectors = encoder()?.encode(&phrases)?;
    assert_eq!(vectors.dims(), reference.rounded.dims());
    // Single precision leaves about 1e-6; the bound that matters to maps is 1e-3.
    assert!(largest_difference(&vectors, &reference.rounded)? < 2e-5);
    assert!(smallest_cosine(&vectors, &reference.full)? > 0.9999);
    Ok(())
}

#[test]
fn a_vector_does_not_depend_on_its_company_or_case() -> Outcome {
    let encoder = encoder()?;
    // More of one length than go through the network at once, and other lengths between them.
    let mut labels: Vec<String> = (0..75).map(|i| format!("dog {i}")).collect();
    labels.insert(3, "a very small dog behind a tree".into());
    labels.insert(40, "  TRAFFIC \n Light ".into());
    labels.push("dog".into());
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let together = encoder.encode(&labels)?;
    for place in [0, 3, 4, 39, 40, 76, 77] {
        let alone = encoder.encode(&labels[place..=place])?;
        assert!(largest_difference(&together.narrow(0, place, 1)?, &alone)? < 1e-5);
    }
    let plain = encoder.encode(&["traffic light"])?;
    assert!(largest_difference(&together.narrow(0, 40, 1)?, &plain)? < 1e-5);
    assert_eq!(encoder.encode(&[])?.dims(), [0, encoder.dimension()]);
    Ok(())
}

#[test]
fn longest_labels_fit_the_network() -> Outcome {
    let encoder = encoder()?;
    for letter in ["웩", "字", "a ", "é", "🐶"] {
        let label = letter.repeat(200 / letter.chars().count());
        let norm = encoder.encode(&[&label])?.sqr()?.sum_all()?;
        assert!((norm.to_scalar::<f32>()? - 1.0).abs() < 1e-4, "{letter}");
    }
    let refused = encoder.encode(&["dog", &"x".repeat(201)]);
    assert!(matches!(refused, Err(SemanticsError::Label(_))));
    Ok(())
}

#[test]
fn labels_are_split_as_text_alone() -> Outcome {
    let encoder = encoder()?;
    for (one, other) in [
        ("ICE-CAFÉ", "ice-cafe"),
        ("[MASK]", "[ mask ]"),
        ("ice-berg", "ice - berg"),
    ] {
        let difference = largest_difference(&encoder.encode(&[one])?, &encoder.encode(&[other])?)?;
        assert!(difference < 1e-6, "{one}");
    }
    let (start, mark) = (encoder.encode(&["[CLS]"])?, encoder.encode(&["[MASK]"])?);
    assert!(largest_difference(&start, &mark)? > 1e-2);
    Ok(())
}

#[test]
fn an_unknown_sign_is_told_from_a_word() -> Outcome {
    let encoder = encoder()?;
    assert!(encoder.knows("dog")?);
    assert!(encoder.knows("dog 🐶")?);
    assert!(encoder.knows("zxqv")?);
    assert!(!encoder.knows("🐶")?);
    Ok(())
}

#[test]
fn what_is_left_out_of_a_reading_is_named() -> Outcome {
    let encoder = encoder()?;
    for (label, text, parts) in [
        ("traffic light", "traffic light", &[][..]),
        ("Dog 🐶", "Dog", &["🐶"]),
        ("🐶🐱 a dog 狗和猫", "a dog", &["🐶🐱", "狗和猫"]),
        ("dog हिन्दी cat", "dog cat", &["हिन्दी"]),
        ("한국 dog", "dog", &["한국"]),
        ("dog\u{e000}\u{e001}", "dog", &["\u{e000}\u{e001}"]),
        ("dogсобака cat", "cat", &["dogсобака"]),
        ("naïve e\u{301}té", "naïve e\u{301}té", &[]),
        ("α particle", "α particle", &[]),
        ("C++ & C#", "C++ & C#", &[]),
        ("7", "7", &[]),
        ("h₂o", "h₂o", &[]),
    ] {
        let reading = encoder.reading(label)?;
        assert_eq!(reading.text, text);
        let found: Vec<&str> = reading.left_out.iter().map(|part| &*part.text).collect();
        assert_eq!(found, parts, "{label}");
        let vectors = encoder.encode_known(&[label])?;
        assert!(largest_difference(&vectors, &encoder.encode(&[text])?)? < 1e-6);
    }
    for nothing in ["🐶", "狗", "собака", "!!!", "\u{e000}", "हिन्दी", "αβ"]
    {
        let refusal = encoder.reading(nothing).expect_err(nothing);
        assert!(refusal.is_about_a_label(), "{refusal}");
        assert!(!encoder.knows(nothing)?);
        assert!(encoder.encode_known(&["dog", nothing]).is_err());
    }
    Ok(())
}

#[test]
fn converting_what_is_converted_changes_nothing() -> Outcome {
    let path = root("weights/default/text_encoder.safetensors");
    let bytes = &std::fs::read(&path)?[..];
    let path = path.as_path();
    assert!(convert_sentence_weights(Source { path, bytes })? == bytes);
    let path = root("weights/default/tokenizer.json");
    let bytes = &std::fs::read(&path)?[..];
    let path = path.as_path();
    let converted = convert_sentence_tokenizer(Source { path, bytes })?;
    // The order of names in JSON is free.
    let [converted, original]: [serde_json::Value; 2] = [
        serde_json::from_slice(&converted)?,
        serde_json::from_slice(bytes)?,
    ];
    assert!(converted == original);
    Ok(())
}

#[test]
fn foreign_files_are_refused_by_name() -> Outcome {
    let path = Path::new("some/model.safetensors");
    let reference = std::fs::read(root("tests/reference/sentence.safetensors"))?;
    for bytes in [&b""[..], b"PK\x03\x04 not safetensors", &reference[..]] {
        let source = Source { path, bytes };
        for error in [
            SentenceEncoder::load(source, source, &Device::Cpu).err(),
            convert_sentence_weights(source).err(),
            convert_sentence_tokenizer(source).err(),
        ] {
            let message = error.ok_or("a foreign file was accepted")?.to_string();
            assert!(
                message.starts_with("some/model.safetensors: not the"),
                "{message}"
            );
            assert!(!message.contains('\n'), "{message}");
        }
    }
    Ok(())
}

#[test]
fn damaged_tokenizers_are_refused_in_one_line() -> Outcome {
    let path = Path::new("some/tokenizer.json");
    let whole = std::fs::read_to_string(root("weights/default/tokenizer.json"))?;
    let refusal = |text: &str| -> Result<String, Box<dyn Error>> {
        let bytes = text.as_bytes();
        let refused = convert_sentence_tokenizer(Source { path, bytes }).err();
        let message = refused.ok_or("a damaged file was accepted")?.to_string();
        assert!(
            message.starts_with("some/tokenizer.json: not the tokenizer"),
            "{message}"
        );
        assert!(!message.contains('\n'), "{message}");
        Ok(message)
    };
    refusal(&whole[..whole.len() / 2])?;
    refusal(&whole.replace("\"WordPiece\"", "\"BPE\""))?;
    assert!(refusal(&whole.replace("\"zebra\":29145,", ""))?.contains("it has 30521 tokens"));
    assert!(refusal(&whole.replace("\"dog\"", "\"xdog\""))?.contains("it splits"));
    // A template of marks that the file does not define panics in the tokenizer.
    let undefined = whole.replace(
        "\"SpecialToken\":{\"id\":\"[CLS]\"",
        "\"SpecialToken\":{\"id\":\"[NO]\"",
    );
    assert!(refusal(&undefined)?.contains("it is damaged"));
    Ok(())
}

#[test]
fn converting_keeps_what_the_network_needs() -> Outcome {
    let path = root("weights/default/text_encoder.safetensors");
    let whole = std::fs::read(&path)?;
    let mut tensors = candle_core::safetensors::load_buffer(&whole, &Device::Cpu)?;
    let convert = |tensors: &HashMap<String, Tensor>| -> Result<Vec<u8>, Box<dyn Error>> {
        let bytes = &safetensors::serialize(tensors, None)?[..];
        Ok(convert_sentence_weights(Source { path: &path, bytes })?)
    };
    let norm = "encoder.layer.5.output.LayerNorm.bias";
    let single = tensors[norm].to_dtype(DType::F32)?;
    let pooler = Tensor::zeros((384, 384), DType::F32, &Device::Cpu)?;
    tensors.insert("pooler.dense.weight".into(), pooler);
    tensors.insert(
        "embeddings.position_ids".into(),
        Tensor::arange(0i64, 512, &Device::Cpu)?,
    );
    tensors.insert(norm.into(), single.clone());
    assert!(convert(&tensors)? == whole);

    let reason = |tensors: &HashMap<String, Tensor>| match convert(tensors) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    tensors.insert(norm.into(), (&single * 1e9)?);
    assert!(reason(&tensors).contains("half precision cannot"));
    tensors.insert(norm.into(), single.narrow(0, 0, 383)?);
    assert!(reason(&tensors).contains(norm));
    tensors.remove(norm);
    assert!(reason(&tensors).contains(norm));
    assert!(!reason(&tensors).contains('\n'));
    Ok(())
}
