// One function for each form that named data sets come in. Each fills images and labels and, where
// the reference takes them from the data set's own files or code, class names; named.cpp adds
// prompts. All throw Error naming the file or folder that is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace clipnext::datasets {

Dataset open_imagenet(const Request& request);         // imagenet1k
Dataset open_imagenet_v2(const Request& request);      // labels are the folders' numbers
Dataset open_imagenet_sketch(const Request& request);  // 1,000 WordNet ids
Dataset open_imagenet_subset(const Request& request);  // imagenet-a, imagenet-r, imagenet-o
Dataset open_objectnet(const Request& request);        // classes that overlap ImageNet's

Dataset open_cifar10(const Request& request);   // python or binary version
Dataset open_cifar100(const Request& request);  // fine labels
Dataset open_mnist(const Request& request);     // IDX files
Dataset open_stl10(const Request& request);     // binary files

Dataset open_voc2007(const Request& request);             // every box cut out
Dataset open_voc2007_multilabel(const Request& request);  // whole pictures

// Pictures in folders with lists of labels, as torchvision reads them.
Dataset open_food101(const Request& request);
Dataset open_sun397(const Request& request);
Dataset open_fgvc_aircraft(const Request& request);
Dataset open_dtd(const Request& request);
Dataset open_pets(const Request& request);
Dataset open_gtsrb(const Request& request);

// Class folders below a folder of their own.
Dataset open_fer2013(const Request& request);
Dataset open_country211(const Request& request);
Dataset open_rendered_sst2(const Request& request);
Dataset open_eurosat(const Request& request);
/// Any other name: class folders in the root's folder named as the split, else in the root itself;
/// the folders' names are the class names.
Dataset open_image_folder(const Request& request);

Dataset open_coco_captions(const Request& request);
Dataset open_flickr(const Request& request);  // flickr8k, flickr30k
Dataset open_sugar_crepe(const Request& request);
Dataset open_winoground(const Request& request);

/// A picture in memory, as a PGM (grey) or PPM (interleaved RGB) file. `pixels` holds width *
/// height or three times as many bytes.
pipeline::ImageSource raw_image(std::string name, int64_t width, int64_t height,
                                std::string_view pixels);

/// width * height pixels as three planes (red, green, blue) to interleaved bytes.
std::string interleave_planes(std::string_view planes, int64_t pixels);

}  // namespace clipnext::datasets
