// convert --packed and --dtype int8 --calibrate, and every command on what they write.
#include <algorithm>

#include "e2e/program.h"
#include "weights/checkpoint.h"

namespace clipnext::e2e {
namespace {

namespace fs = std::filesystem;

const std::string kModel = "models/emoji-convnext-atto";
const std::string kPictures = "examples/emoji/pictures";
const char* const kTypes[] = {"fp32", "bf16", "int8"};

class PackedProgram : public Program {
 protected:
  /// The demo model packed as X.safetensors, with more arguments.
  Outcome pack(const std::string& name, const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"convert", kModel, path(name), "--packed"};
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
  }

  /// --json of a command with the demo model in `type`, and with a file packed in it.
  void expect_same(std::vector<std::string> args, const std::string& type) const {
    args.emplace_back("--json");
    std::vector<std::string> plain = args;
    plain.insert(plain.end(), {"--model", kModel, "--dtype", type});
    std::vector<std::string> packed = args;
    packed.insert(packed.end(), {"--model", path(type + ".safetensors")});
    Json expected = run(plain).json();
    Json found = run(packed).json();
    EXPECT_EQ(found["model"], type + ".safetensors");
    expected.erase("model");
    found.erase("model");
    EXPECT_EQ(found, expected) << args[0] << " " << type;
  }

  /// The demo model in a folder of its own, some values of some tensors multiplied.
  std::string model_with_outliers() const {
    weights::TensorMap tensors =
        weights::open_checkpoint(source_path(kModel + "/open_clip_model.safetensors")).tensors;
    const auto scale = [&](const std::string& name, size_t inner, float by) {
      std::vector<float> values = weights::to_f32(tensors.at(name));
      for (size_t i = 0; i < values.size(); ++i) {
        if (i / inner % 128 == 7) values[i] *= by;
      }
      tensors.at(name) = weights::make_tensor(tensors.at(name).shape, values);
    };
    for (const std::string block : {"0", "1", "2"}) {
      const std::string in = "transformer.resblocks." + block;
      scale(in + ".ln_2.weight", 1, 64);
      scale(in + ".ln_2.bias", 1, 64);
      scale(in + ".mlp.c_fc.weight", 1, 1.0F / 64);
    }
    fs::create_directory(path("model"));
    write("model/open_clip_config.json", read(source_path(kModel + "/open_clip_config.json")));
    weights::write_safetensors(path("model/open_clip_model.safetensors"), tensors);
    return path("model");
  }
};

TEST_F(PackedProgram, GivesTheVectorsOfTheModelInThatType) {
  for (const std::string type : kTypes) {
    const std::string file = type + ".safetensors";
    ASSERT_EQ(pack(file, {"--dtype", type}).status, 0);
    expect_same({"classify", kPictures, "--labels", "a taxi,a cactus"}, type);
    expect_same({"similarity", picture("taxi"), "--text", "a taxi", "--text", "a cactus"}, type);
    const auto embed = [&](const std::string& out, const std::vector<std::string>& model) {
      std::vector<std::string> args = {"embed", kPictures, "--out", path(out)};
      args.insert(args.end(), model.begin(), model.end());
      EXPECT_EQ(run(args).status, 0);
      return read(path(out));
    };
    EXPECT_EQ(embed("packed.npy", {"--model", path(file), "--dtype", type}),
              embed("plain.npy", {"--model", kModel, "--dtype", type}));
  }
}

TEST_F(PackedProgram, RunsInEveryCommand) {
  ASSERT_EQ(pack("x.safetensors", {"--dtype", "int8"}).status, 0);
  const std::string model = path("x.safetensors");
  const Json bench = run({"bench", "--model", model, "--batch", "1", "--tower", "text",
                          "--min-time", "0.01", "--json"})
                         .json();
  EXPECT_EQ(bench["dtype"], "int8");
  EXPECT_EQ(run({"tokenize", "a cat", "--model", model, "--json"}).out,
            run({"tokenize", "a cat", "--model", kModel, "--json"}).out);
  EXPECT_EQ(run({"profile", model, "--json"}).json()["total"]["parameters"],
            run({"profile", kModel, "--json"}).json()["total"]["parameters"]);
  const Json seen =
      run({"preprocess", picture("taxi"), "--model", model, "--out", path("pixels.npy"), "--json"})
          .json();
  EXPECT_EQ(seen["shape"], Json({3, 64, 64}));
  EXPECT_EQ(run({.args = {"classify", picture("taxi"), "--labels", "taxi"},
                 .environment = {{"CLIPNEXT_MODEL", model}}})
                .status,
            0);
}

TEST_F(PackedProgram, SaysWhatItHolds) {
  const Json made = pack("x.safetensors", {"--dtype", "bf16", "--json"}).json();
  EXPECT_EQ(made["from"], "safetensors");
  EXPECT_EQ(made["to"], "packed");
  EXPECT_EQ(made["version"], 1);
  EXPECT_EQ(made["dtype"], "bf16");
  EXPECT_EQ(made["model"], "emoji-convnext-atto");
  EXPECT_EQ(made["source_hash"].get<std::string>().size(), 32U);
  EXPECT_EQ(made["bytes"], fs::file_size(path("x.safetensors")));
  EXPECT_EQ(made["matrices"], Json::parse(R"({"bf16": 43})"));
  const Json seen = run({"inspect", path("x.safetensors"), "--json"}).json();
  for (const char* field : {"version", "dtype", "model", "source_hash", "matrices"}) {
    EXPECT_EQ(seen["packed"][field], made[field]) << field;
  }
  EXPECT_EQ(run({"inspect", kModel, "--json"}).json()["packed"], Json());
  const Outcome text = run({"inspect", path("x.safetensors")});
  EXPECT_NE(text.out.find("packed    in bf16, matrices 43 bf16, from emoji-convnext-atto\n"),
            std::string::npos)
      << text.out;
}

TEST_F(PackedProgram, CalibrationMeasuresOnPictures) {
  const Outcome outcome =
      pack("x.safetensors", {"--dtype", "int8", "--calibrate", kPictures, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json made = outcome.json();
  const Json& calibration = made["calibration"];
  EXPECT_EQ(calibration["asked_cosine"], 0.995);
  EXPECT_EQ(calibration["image_count"], 8);
  EXPECT_GE(calibration["text_count"], 40);
  for (const char* tower : {"images", "texts"}) {
    EXPECT_GE(calibration[tower]["min_cosine"], 0.995);
    EXPECT_GE(calibration[tower]["mean_cosine"], calibration[tower]["min_cosine"]);
  }
  EXPECT_FALSE(calibration.contains("accuracy"));
  EXPECT_EQ(calibration["widened"], Json::array());
  EXPECT_EQ(run({"inspect", path("x.safetensors"), "--json"}).json()["packed"]["calibration"],
            calibration);
  EXPECT_NE(outcome.err.find("image tower, 0 matrices widened: smallest cosine 0.99"),
            std::string::npos)
      << outcome.err;
}

TEST_F(PackedProgram, CalibrationMeasuresAccuracyOnLabelledShards) {
  const Outcome outcome =
      pack("x.safetensors", {"--dtype", "int8", "--calibrate", "examples/emoji/unseen"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("accuracy  17.43% in int8, 17.43% in fp32; 100.00% agreement among "
                             "the 66 clear answers\n"),
            std::string::npos)
      << outcome.out;
  const Json accuracy =
      run({"inspect", path("x.safetensors"), "--json"}).json()["packed"]["calibration"]["accuracy"];
  EXPECT_EQ(accuracy["clear"], 66);
  EXPECT_EQ(accuracy["agreement"], 1);
}

TEST_F(PackedProgram, CalibrationTakesClassesFromFolders) {
  for (const char* name : {"cactus", "taxi", "trophy"}) {
    fs::create_directories(path("classes") + "/" + name);
    fs::copy_file(picture(name), path("classes") + "/" + name + "/1.png");
  }
  const Json made = pack("x.safetensors",
                         {"--dtype", "int8", "--calibrate", path("classes"), "--calibrate-classes",
                          "--template", "an emoji of {}", "--calibrate-most", "2", "--json"})
                        .json();
  EXPECT_EQ(made["calibration"]["image_count"], 2);
  EXPECT_EQ(made["calibration"]["accuracy"]["fp32"], 1);
  EXPECT_EQ(made["calibration"]["accuracy"]["int8"], 1);
}

TEST_F(PackedProgram, StrictContractsLeaveMatricesWider) {
  const Outcome outcome = pack(
      "x.safetensors", {"--dtype", "int8", "--calibrate", kPictures, "--min-cosine", "0.9999"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json packed = run({"inspect", path("x.safetensors"), "--json"}).json()["packed"];
  const Json& widened = packed["calibration"]["widened"];
  ASSERT_GT(widened.size(), 0U);
  EXPECT_EQ(widened[0]["dtype"], "bf16");
  EXPECT_GT(widened[0]["error"], 0);
  EXPECT_EQ(packed["matrices"]["bf16"], widened.size() + 6);
  EXPECT_NE(outcome.out.find("wider     " + widened[0]["name"].get<std::string>() + " in bf16"),
            std::string::npos)
      << outcome.out;
}

TEST_F(PackedProgram, ScaledChannelsAreNotTakenForFaults) {
  const std::string model = model_with_outliers();
  const std::string norm = "transformer.resblocks.1.ln_2";
  const Json made = run({"convert", model, path("x.safetensors"), "--dtype", "int8", "--calibrate",
                         kPictures, "--json"})
                        .json();
  EXPECT_EQ(made["calibration"]["smoothed"], true);
  const std::vector<int32_t> tokens = {49406, 320, 49407};
  const weights::Tensor ids{.dtype = weights::DType::kI32,
                            .shape = {1, 3},
                            .data = std::as_bytes(std::span(tokens)),
                            .owner = nullptr};
  weights::write_npz(path("dump.npz"),
                     {{"tokens", ids},
                      {norm, weights::make_tensor({1, 3, 128}, std::vector<float>(384))},
                      {"text", weights::make_tensor({1, 128}, std::vector<float>(128))}});
  const auto verify = [&](const std::string& name) {
    return run({"verify", "--model", name, "--against", path("dump.npz"), "--json"});
  };
  EXPECT_EQ(verify(model).json()["layers"].size(), 2U);
  const Outcome outcome = verify(path("x.safetensors"));
  EXPECT_EQ(outcome.json()["layers"].size(), 1U);
  EXPECT_NE(outcome.err.find("norms are not compared"), std::string::npos) << outcome.err;
}

TEST_F(PackedProgram, NamesTypesThatDoNotGoTogether) {
  ASSERT_EQ(pack("x.safetensors", {}).status, 0);
  const std::string model = path("x.safetensors");
  for (const std::string type : {"bf16", "int8"}) {
    expect_error(
        run({"classify", picture("taxi"), "--labels", "a", "--model", model, "--dtype", type}), 1,
        "is packed in fp32; to compute in " + type);
  }
  EXPECT_EQ(run({"classify", picture("taxi"), "--labels", "a", "--model", model, "--dtype", "auto"})
                .status,
            0);
  expect_error(run({"classify", picture("taxi"), "--labels", "a", "--dtype", "fp16"}), 2,
               "--dtype: fp16 not in {auto,fp32,bf16,int8}");
}

TEST_F(PackedProgram, IsNotConvertedAgain) {
  ASSERT_EQ(pack("x.safetensors", {}).status, 0);
  const std::string model = path("x.safetensors");
  expect_error(run({"convert", model, path("y.safetensors"), "--packed"}), 1,
               "is a packed file already; convert the weights it was made from "
               "(emoji-convnext-atto)");
  expect_error(run({"convert", model, path("y.pt")}), 1, "is a packed file");
  expect_error(run({"classify", picture("taxi"), "--labels", "a", "--model", "convnext_base",
                    "--pretrained", model}),
               1, "give it as --model");
  EXPECT_FALSE(fs::exists(path("y.safetensors")));
}

TEST_F(PackedProgram, RefusesWrongCommandLines) {
  const auto expect = [&](const std::vector<std::string>& more, const std::string& part) {
    std::vector<std::string> args = {"convert", kModel, path("x.safetensors")};
    args.insert(args.end(), more.begin(), more.end());
    expect_error(run(args), 2, part);
  };
  expect({"--calibrate", kPictures}, "--calibrate: goes with --dtype int8");
  expect({"--packed", "--dtype", "bf16", "--calibrate", kPictures}, "goes with --dtype int8");
  expect({"--packed", "--dtype", "fp16"}, "there are fp32, bf16 and int8");
  expect({"--packed", "--dtype", "auto"}, "there are fp32, bf16 and int8");
  expect({"--pretrained", "x.pt"}, "goes with --packed");
  expect({"--dtype", "int8", "--min-cosine", "0.9"}, "--min-cosine requires --calibrate");
  expect({"--dtype", "int8", "--calibrate", kPictures, "--min-cosine", "1.5"}, "--min-cosine");
  expect({"--dtype", "int8", "--calibrate", kPictures, "--template", "a {}"},
         "--template: goes with labelled pictures");
  expect_error(run({"convert", kModel, path("x.pt"), "--packed"}), 2, "must end in .safetensors");
  expect_error(run({"convert", "", path("x.safetensors"), "--packed"}), 2, "IN");
  expect_error(run({"convert", kModel, kModel + "/open_clip_model.safetensors", "--packed"}), 2,
               "is an input");
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(PackedProgram, NamesWhatItCannotCalibrateOnOrWrite) {
  const auto expect = [&](const std::vector<std::string>& more, const std::string& part) {
    std::vector<std::string> args = {"--dtype", "int8", "--calibrate"};
    args.insert(args.end(), more.begin(), more.end());
    expect_error(pack("x.safetensors", args), 1, part);
  };
  fs::create_directory(path("empty"));
  expect({path("none")}, path("none"));
  expect({path("empty")}, "no image files in this folder");
  expect({"README.md"}, "README.md");
  expect({path("empty"), "--calibrate-classes"}, "has 0 sub-folders");
  expect({kPictures, "examples/emoji/unseen"}, "is a folder of labelled shards; give it alone");
  expect({kPictures, kPictures, "--calibrate-classes"}, "takes one folder, 2 are given");
  expect_error(pack("none/x.safetensors", {}), 1, "none/x.safetensors");
  expect_error(run({"convert", "convnext_base", path("x.safetensors"), "--packed"}), 1,
               "--pretrained");
  EXPECT_FALSE(fs::exists(path("x.safetensors")));
}

TEST_F(PackedProgram, InterruptedCalibrationLeavesNothing) {
  // Pictures for minutes of calibration.
  std::vector<std::string> args = {"convert", kModel, path("x.safetensors"), "--dtype", "int8"};
  args.insert(args.end(), {"--min-cosine", "1", "--calibrate-most", "0", "--calibrate"});
  args.insert(args.end(), 4'000, kPictures);
  const Outcome outcome = run({.args = args, .interrupt_after_ms = 2'000});
  EXPECT_EQ(outcome.status, 130) << outcome.err;
  EXPECT_NE(outcome.err.find("clipnext: interrupted\n"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace clipnext::e2e
